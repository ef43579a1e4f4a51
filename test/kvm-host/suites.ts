/**
 * What runs in the KVM host. A file that is for the host alone ends in `.kvm.test.ts`; of the `.vm.test.ts` files there is
 * what is named here. One process runs all of a group, and its files share a home: to start Node.js, a supervisor and a
 * first box costs a minute there.
 */
export interface HostSuite {
  readonly file: string;
  /** Only tests whose full title matches this regular expression. */
  readonly grep?: string;
}

export interface HostGroup {
  readonly name: string;
  /** The tests find it in the environment: A3S_BOX_BACKEND. Absent: they name it themselves. */
  readonly backend?: string;
  readonly suites: readonly HostSuite[];
  /** About how long it takes where that was not measured yet, seconds, so that the longest begin first. */
  readonly seconds: number;
}

export type HostLane = 'kvm-host' | 'kvm-host-full';

const RUN = 'test/e2e/run.vm.test.ts';
const CRASH = 'test/e2e/crash.vm.test.ts';
const LIFE = 'test/e2e/box-life.kvm.test.ts';
const TSI = 'test/e2e/tsi.kvm.test.ts';

/** Status, stdin and signals. */
const RUN_BARS = ['runs the image on a kernel', 'gives stdin to the workload with -i', 'passes signals on'].join('|');
/** What kills of the VMM leave. */
const CRASH_BARS = ['VMM: the box is dead', 'supervisor and VMM: the same'];

const HYPERVISOR: HostGroup = {
  name: 'hypervisor',
  seconds: 220,
  suites: [
    { file: 'test/kvm-host/host.kvm.test.ts' },
    { file: 'backends/libkrun-kvm/test/calls.kvm.test.ts' },
    { file: 'backends/libkrun-kvm/test/confinement.kvm.test.ts' },
    { file: 'backends/libkrun-kvm/test/contract.kvm.test.ts' },
  ],
};

/** By lane, what is to be run. */
export const HOST_GROUPS: Readonly<Record<HostLane, readonly HostGroup[]>> = {
  'kvm-host': [
    HYPERVISOR,
    {
      name: 'boxes',
      backend: 'libkrun-kvm',
      seconds: 260,
      suites: [
        { file: LIFE },
        { file: TSI },
        { file: CRASH, grep: CRASH_BARS.join('|') },
        { file: RUN, grep: RUN_BARS },
      ],
    },
    { name: 'boxes', backend: 'qemu', seconds: 120, suites: [{ file: RUN, grep: RUN_BARS }] },
  ],
  'kvm-host-full': [
    HYPERVISOR,
    { name: 'contract', backend: 'qemu', seconds: 300, suites: [{ file: 'backends/qemu/test/contract.vm.test.ts' }] },
    ...['libkrun-kvm', 'qemu'].flatMap((backend): HostGroup[] => [
      // It ends with the starter image removed.
      { name: 'exec', backend, seconds: 200, suites: [{ file: 'test/e2e/exec.vm.test.ts', grep: '^a3s-box exec' }] },
      { name: 'run', backend, seconds: 500, suites: [{ file: RUN, grep: '^(?!.*writes a trace)' }] },
      // The supervisor's death at each of its writes is none of the backend's, and takes half an hour.
      { name: 'crash', backend, seconds: 400, suites: [{ file: CRASH, grep: '^(?!.*at each write)' }] },
      {
        name: 'files',
        backend,
        seconds: 700,
        suites: [
          { file: LIFE },
          ...(backend === 'libkrun-kvm' ? [{ file: TSI }] : []),
          { file: 'test/e2e/files.vm.test.ts' },
          { file: 'test/e2e/stopped-files.vm.test.ts' },
          { file: 'test/e2e/commit.vm.test.ts' },
        ],
      },
    ]),
  ],
};
