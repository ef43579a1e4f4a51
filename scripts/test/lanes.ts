/** The lanes of `npm test`: what belongs to each, how it is run, how long it may take. */
import { globSync } from 'node:fs';

export interface Lane {
  readonly name: string;
  readonly kind: 'lint' | 'rust' | 'fuzz' | 'mocha' | 'kvm-host';
  /** The whole lane's limit, milliseconds; what has not run by then fails. */
  readonly budgetMs: number;
  /** Limit of one test that sets none of its own, milliseconds. */
  readonly testTimeoutMs: number;
  /** Processes at the same time. */
  readonly parallel: number;
  /** Whether a process runs one file, or all files of a package. */
  readonly isolate: 'file' | 'package';
  /** Runs only when it is named. */
  readonly onDemand?: boolean;
}

const MINUTE = 60_000;

export const LANES: readonly Lane[] = [
  { name: 'lint', kind: 'lint', budgetMs: 3 * MINUTE, testTimeoutMs: 0, parallel: 1, isolate: 'package' },
  { name: 'rust', kind: 'rust', budgetMs: 12 * MINUTE, testTimeoutMs: 0, parallel: 1, isolate: 'package' },
  { name: 'unit', kind: 'mocha', budgetMs: 3 * MINUTE, testTimeoutMs: 5000, parallel: 2, isolate: 'package' },
  { name: 'integration', kind: 'mocha', budgetMs: 10 * MINUTE, testTimeoutMs: 30_000, parallel: 2, isolate: 'file' },
  // With the compiling of both kinds of targets on a machine that has compiled nothing yet.
  { name: 'fuzz', kind: 'fuzz', budgetMs: 14 * MINUTE, testTimeoutMs: 0, parallel: 2, isolate: 'file' },
  // One at a time: an emulated CPU takes a whole core, and QEMU's own threads the other.
  { name: 'vm', kind: 'mocha', budgetMs: 24 * MINUTE, testTimeoutMs: 120_000, parallel: 1, isolate: 'file' },
  // Inside emulated KVM hosts (test/kvm-host), two at a time, each of which takes a whole core.
  { name: 'kvm-host', kind: 'kvm-host', budgetMs: 8 * MINUTE, testTimeoutMs: 60_000, parallel: 2, isolate: 'file' },
  // Everything that can run there, on each backend.
  {
    name: 'kvm-host-full',
    kind: 'kvm-host',
    budgetMs: 60 * MINUTE,
    testTimeoutMs: 60_000,
    parallel: 2,
    isolate: 'file',
    onDemand: true,
  },
  // With programs of others that are built for it.
  {
    name: 'peers',
    kind: 'mocha',
    budgetMs: 45 * MINUTE,
    testTimeoutMs: 120_000,
    parallel: 1,
    isolate: 'file',
    onDemand: true,
  },
];

const ROOTS = ['core', 'native', 'guest-init', 'plugins/*', 'backends/*', 'cli', 'cri'];

/** Test files of a mocha lane, relative to the root, sorted. */
export function discoverTests(root: string, lane: string): string[] {
  const patterns = [...ROOTS.map((directory) => `${directory}/test/**/*.test.ts`), 'test/**/*.test.ts'];
  const files = globSync(patterns, { cwd: root, exclude: (path) => /(^|\/)(node_modules|dist)$/.test(path) });
  return files.filter((file) => laneOf(file) === lane).sort();
}

export function laneOf(file: string): string {
  if (file.endsWith('.vm.test.ts')) return 'vm';
  if (file.endsWith('.kvm.test.ts')) return 'kvm-host';
  if (file.endsWith('.peer.test.ts')) return 'peers';
  return file.endsWith('.integration.test.ts') ? 'integration' : 'unit';
}

export interface WorkItem {
  readonly label: string;
  readonly files: readonly string[];
}

/** At most so many files of a package run in one process, so that a large package keeps all CPUs at work. */
const FILES_PER_PROCESS = 6;

/**
 * Divides a lane's files into the processes that run them, the longest first.
 * @param times milliseconds that items took last time, by label
 */
export function workItems(
  lane: Lane,
  files: readonly string[],
  times: Readonly<Record<string, number>> = {},
): WorkItem[] {
  const items = lane.isolate === 'file' ? files.map((file) => ({ label: file, files: [file] })) : packageItems(files);
  return items.sort((a, b) => (times[b.label] ?? 0) - (times[a.label] ?? 0));
}

function packageItems(files: readonly string[]): WorkItem[] {
  const packages = Map.groupBy(files, (file) => packageOf(file));
  return [...packages].flatMap(([label, members]) => {
    const parts = Math.ceil(members.length / FILES_PER_PROCESS);
    if (parts === 1) return [{ label, files: members }];
    return Array.from({ length: parts }, (_, part) => ({
      label: `${label} ${part + 1} of ${parts}`,
      files: members.filter((_file, index) => index % parts === part),
    }));
  });
}

function packageOf(file: string): string {
  const segments = file.split('/');
  const at = segments.indexOf('test');
  return at > 0 ? segments.slice(0, at).join('/') : segments.slice(0, 2).join('/');
}
