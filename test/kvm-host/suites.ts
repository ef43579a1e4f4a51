/**
 * What of the `.vm.test.ts` files runs in the KVM host too, on which backends. A file that is for the host alone ends in
 * `.kvm.test.ts` and needs no line here; it runs once, and names its backends itself.
 */
export interface HostSuite {
  readonly file: string;
  /** Backends that it runs on, one after another. The test finds the name in the environment: A3S_BOX_BACKEND. */
  readonly backends: readonly string[];
  /** Only tests whose full title matches this regular expression. */
  readonly grep?: string;
}

/** What a backend has its part in: a guest of its own, streams, statuses, signals. */
const RUN_BARS = ['runs the image on a kernel', 'gives stdin to the workload with -i', 'passes signals on'];
/** What is the command line's, and so the same on any other. */
const COMMAND_LINE_BARS = ['without "--"', 'ends with 127'];
/** What kills of each kind leave. */
const CRASH_BARS = ['supervisor: the log has every line once', 'VMM: the box is dead', 'supervisor and VMM: the same'];

export type HostLane = 'kvm-host' | 'kvm-host-full';

/** By lane. Each has the files that are for the host alone too. */
export const HOST_SUITES: Readonly<Record<HostLane, readonly HostSuite[]>> = {
  'kvm-host': [
    { file: 'test/e2e/run.vm.test.ts', backends: ['libkrun-kvm'], grep: [...RUN_BARS, ...COMMAND_LINE_BARS].join('|') },
    { file: 'test/e2e/run.vm.test.ts', backends: ['qemu'], grep: RUN_BARS.join('|') },
    { file: 'test/e2e/crash.vm.test.ts', backends: ['libkrun-kvm'], grep: CRASH_BARS.join('|') },
  ],
  'kvm-host-full': [
    { file: 'backends/qemu/test/contract.vm.test.ts', backends: ['qemu'] },
    { file: 'test/e2e/run.vm.test.ts', backends: ['libkrun-kvm', 'qemu'] },
    { file: 'test/e2e/crash.vm.test.ts', backends: ['libkrun-kvm', 'qemu'] },
  ],
};

/** About how long a file takes where that was not measured yet, seconds, so that the longest begin first. */
export const HOST_SECONDS: Readonly<Record<string, number>> = {
  'backends/libkrun-kvm/test/contract.kvm.test.ts': 190,
  'test/e2e/tsi.kvm.test.ts': 180,
  'test/e2e/run.vm.test.ts': 150,
  'test/e2e/crash.vm.test.ts': 120,
};
