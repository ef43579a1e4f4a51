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

/** What holds for every backend: command lines, statuses, streams, signals. */
const RUN_BARS = [
  'runs the image on a kernel',
  'leaves options after the image',
  'gives stdin to the workload with -i',
  'carries 100 MB',
  'keeps stdout and stderr apart',
  'ends with 127',
  'passes signals on',
].join('|');

export const HOST_SUITES: readonly HostSuite[] = [
  { file: 'backends/qemu/test/contract.vm.test.ts', backends: ['qemu'] },
  { file: 'test/e2e/run.vm.test.ts', backends: ['libkrun-kvm', 'qemu'], grep: RUN_BARS },
];
