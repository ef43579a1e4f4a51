/**
 * What Docker's commands take and this CLI refuses, with the reason. The parser and docs/cli-reference.md are
 * fed from here: a flag leaves this table in the change that builds it.
 */
export interface UnsupportedFlag {
  /** As Docker's help writes it, `-v, --volume`. */
  readonly spelling: string;
  readonly commands: readonly string[];
  readonly reason: string;
}

/** Flags that shape a box. */
const RUN = ['run', 'create'] as const;

const STREAMS = 'a foreground run joins stdout and stderr always, and stdin with -i';
const NETWORK = "not built yet; a box takes its network's addresses and name servers";
const BLOCK_IO = 'limits of block devices are not built yet';
const CPU = "the guest's kernel has no groups of real-time processes; use --cpu-quota";
const CGROUP = "the guest has control groups of version 2, which do not know it; the VM's memory is the limit (-m)";
const NAMESPACES = 'a box has a kernel of its own; there are no namespaces of the host to share';
const DEVICES = 'devices of the host are not passed into the VM';
const WINDOWS = 'for Windows containers only';
const SIZE = "sizes of boxes' disks are not measured yet";
const TRUST = 'signatures of Docker Content Trust are not read; name an image by its digest';

const CHECKPOINT = 'checkpoints of processes are not built';

export const UNSUPPORTED_FLAGS: readonly UnsupportedFlag[] = [
  { spelling: '-a, --attach', commands: RUN, reason: STREAMS },
  { spelling: '--blkio-weight', commands: RUN, reason: BLOCK_IO },
  { spelling: '--blkio-weight-device', commands: RUN, reason: BLOCK_IO },
  { spelling: '--cgroup-parent', commands: RUN, reason: NAMESPACES },
  { spelling: '--cgroupns', commands: RUN, reason: NAMESPACES },
  { spelling: '--cpu-count', commands: RUN, reason: WINDOWS },
  { spelling: '--cpu-percent', commands: RUN, reason: WINDOWS },
  { spelling: '--cpu-rt-period', commands: RUN, reason: CPU },
  { spelling: '--cpu-rt-runtime', commands: RUN, reason: CPU },
  { spelling: '--device', commands: RUN, reason: DEVICES },
  { spelling: '--device-cgroup-rule', commands: RUN, reason: DEVICES },
  { spelling: '--device-read-bps', commands: RUN, reason: BLOCK_IO },
  { spelling: '--device-read-iops', commands: RUN, reason: BLOCK_IO },
  { spelling: '--device-write-bps', commands: RUN, reason: BLOCK_IO },
  { spelling: '--device-write-iops', commands: RUN, reason: BLOCK_IO },
  { spelling: '--disable-content-trust', commands: [...RUN, 'push'], reason: TRUST },
  { spelling: '--expose', commands: RUN, reason: NETWORK },
  { spelling: '--gpus', commands: RUN, reason: DEVICES },
  { spelling: '--io-maxbandwidth', commands: RUN, reason: WINDOWS },
  { spelling: '--io-maxiops', commands: RUN, reason: WINDOWS },
  { spelling: '--ip', commands: RUN, reason: NETWORK },
  { spelling: '--ip6', commands: RUN, reason: NETWORK },
  { spelling: '--ipc', commands: RUN, reason: NAMESPACES },
  { spelling: '--isolation', commands: RUN, reason: WINDOWS },
  { spelling: '--kernel-memory', commands: RUN, reason: CGROUP },
  { spelling: '--link', commands: RUN, reason: NETWORK },
  { spelling: '--link-local-ip', commands: RUN, reason: NETWORK },
  { spelling: '--mac-address', commands: RUN, reason: NETWORK },
  { spelling: '--memory-swappiness', commands: RUN, reason: CGROUP },
  { spelling: '--net-alias', commands: RUN, reason: NETWORK },
  { spelling: '--network-alias', commands: RUN, reason: NETWORK },
  { spelling: '--oom-kill-disable', commands: RUN, reason: CGROUP },
  { spelling: '--pid', commands: RUN, reason: NAMESPACES },
  { spelling: '-P, --publish-all', commands: RUN, reason: NETWORK },
  { spelling: '--runtime', commands: RUN, reason: 'a box runs in a microVM; use --backend to choose which' },
  { spelling: '--use-api-socket', commands: RUN, reason: 'there is no Docker API' },
  { spelling: '--userns', commands: RUN, reason: NAMESPACES },
  { spelling: '--uts', commands: RUN, reason: NAMESPACES },
  { spelling: '--volume-driver', commands: RUN, reason: 'volumes are directories and disks of this host' },
  { spelling: '--checkpoint', commands: ['start'], reason: CHECKPOINT },
  { spelling: '--checkpoint-dir', commands: ['start'], reason: CHECKPOINT },
  { spelling: '--blkio-weight', commands: ['update'], reason: BLOCK_IO },
  { spelling: '--cpu-rt-period', commands: ['update'], reason: CPU },
  { spelling: '--cpu-rt-runtime', commands: ['update'], reason: CPU },
  { spelling: '--kernel-memory', commands: ['update'], reason: CGROUP },
  {
    spelling: '--volumes',
    commands: ['system prune'],
    reason: "volumes are pruned by themselves: 'a3s-box volume prune'",
  },
  { spelling: '-s, --size', commands: ['ps', 'inspect'], reason: SIZE },
  { spelling: '-l, --link', commands: ['rm'], reason: NETWORK },
  { spelling: '--type', commands: ['inspect'], reason: "it looks at boxes; 'a3s-box image inspect' looks at images" },
  {
    spelling: '-p, --password',
    commands: ['login'],
    reason:
      "others could read it in the list of processes and in the shell's history; use --password-stdin, or be asked",
  },
  { spelling: '-a, --all', commands: ['images'], reason: 'there are no images in between' },
  { spelling: '--tree', commands: ['images'], reason: 'an image here has one platform' },
];

/** The refusal of a flag, if it is one of Docker's. @param spelled `-v` or `--volume` */
export function unsupportedFlag(command: string, spelled: string): UnsupportedFlag | undefined {
  return UNSUPPORTED_FLAGS.find(
    ({ spelling, commands }) => commands.some((c) => c === command) && spelling.split(', ').includes(spelled),
  );
}
