import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import type { Readable, Writable } from 'node:stream';
import { BoxError, type ProcessIdentity } from '@a3s-box/core';
import { confinePath, processStartTime } from '@a3s-box/native';
import { STATUS_DESCRIPTOR, type DescriptorTable } from './descriptor-table.js';

/** What a VMM gets, and nothing else. */
export interface Confinement {
  readonly table: DescriptorTable;
  /** Files and directories that it may read by name. */
  readonly read: readonly string[];
  /** Files that it may execute. */
  readonly execute: readonly string[];
  /** Device nodes that it may use. */
  readonly devices: readonly string[];
  /** Inherited files that it may open again by `/proc/self/fd/N`. */
  readonly readDescriptors: readonly number[];
  /** Supplementary groups; only as root. */
  readonly groups: readonly number[];
  /** `inherited`: it can make, name and connect none of its own. `any`: what its user may. */
  readonly sockets: 'inherited' | 'any';
  /** Files that it may have open at once, beside three for each that it inherits. */
  readonly openFiles: number;
  /** Largest file that it may write, bytes. */
  readonly fileBytes: number;
  readonly threads: number;
  /** Keeps the kernel from giving it huge pages, which take more memory than is used of them. */
  readonly smallPages: boolean;
  /** Is told of each process before it does anything. What it throws ends that process, and the launch. */
  readonly onLaunch: (process: ProcessIdentity) => void;
}

/** User ids of VMMs that root starts, one for each: 0x78000000 to 0x7800ffff (docs/compatibility.md). */
const FIRST_UID = 0x7800_0000;
const UID_COUNT = 0x1_0000;
/** With 1000 VMs the chance that all attempts meet an id in use is below 10^-14. */
const UID_ATTEMPTS = 8;

type LaunchOutcome =
  { readonly child: ChildProcess } | { readonly step: string; readonly errno: number; readonly subject: string };

/**
 * Starts a program through the confining launcher and returns once it was executed.
 *
 * The child is not tied to this process: it lives on in a session of its own. Its stderr is piped.
 *
 * @throws CONFINEMENT_FAILED when a control could not be applied; nothing runs then
 * @throws VM_START_FAILED when the program itself could not be executed
 */
export async function launchConfined(
  program: string,
  parameters: readonly string[],
  confinement: Confinement,
): Promise<ChildProcess> {
  const launcher = confinePath();
  if (launcher === undefined) {
    throw new BoxError('CONFINEMENT_FAILED', 'the confining launcher a3s-box-confine is not built', {
      hint: 'run npm run build in native/',
    });
  }
  const asRoot = process.geteuid?.() === 0;
  for (let attempt = 1; ; attempt++) {
    const identity = asRoot ? identityOptions(confinement) : [];
    const options = [...identity, ...commonOptions(confinement), '--', program, ...parameters];
    const outcome = await launchOnce(launcher, options, confinement);
    if ('child' in outcome) return outcome.child;
    if (outcome.step !== 'uid-in-use' || attempt === UID_ATTEMPTS) throw launchError(outcome, program);
  }
}

function identityOptions({ groups, threads }: Confinement): string[] {
  const uid = String(FIRST_UID + randomInt(UID_COUNT));
  const supplementary = groups.flatMap((group) => ['--group', String(group)]);
  return ['--uid', uid, '--gid', uid, '--exclusive', '--threads', String(threads), ...supplementary];
}

function commonOptions(confinement: Confinement): string[] {
  const { table } = confinement;
  return [
    ...['--keep', String(table.size), '--await-owner', '--file-bytes', String(confinement.fileBytes)],
    ...(confinement.sockets === 'inherited' ? ['--deny-sockets'] : []),
    // Of one that it inherits a VMM makes two more: a registered copy, and that of the open disk.
    ...['--open-files', String(confinement.openFiles + 3 * table.size)],
    ...(confinement.smallPages ? ['--small-pages'] : []),
    ...confinement.read.flatMap((path) => ['--read', path]),
    ...confinement.execute.flatMap((path) => ['--execute', path]),
    ...confinement.devices.flatMap((path) => ['--device', path]),
    ...confinement.readDescriptors.flatMap((descriptor) => ['--read-descriptor', String(descriptor)]),
    ...['--env', 'PATH=/usr/bin:/bin', '--env', 'LC_ALL=C'],
  ];
}

async function launchOnce(
  launcher: string,
  options: readonly string[],
  { table, onLaunch }: Confinement,
): Promise<LaunchOutcome> {
  const child = spawn(launcher, options, {
    cwd: '/',
    env: {},
    stdio: ['pipe', 'ignore', 'pipe', 'pipe', ...table.inherited],
  });
  const failed = Promise.withResolvers<never>();
  child.once('error', (cause) =>
    failed.reject(
      new BoxError('CONFINEMENT_FAILED', `the confining launcher ${launcher} could not be started`, { cause }),
    ),
  );
  release(child, onLaunch);
  const status = child.stdio[STATUS_DESCRIPTOR] as Readable;
  const line = await Promise.race([readAll(status), failed.promise]);
  if (line === '') return { child };
  const [step = 'unknown', errno = '0', ...subject] = line.trimEnd().split(' ');
  return { step, errno: Number(errno), subject: subject.join(' ') };
}

/** Lets a launcher go on that waits for its owner. A launcher that dies first tells so by its status. */
function release(child: ChildProcess, onLaunch: Confinement['onLaunch']): void {
  const gate = child.stdin as Writable;
  gate.on('error', () => undefined);
  const { pid } = child;
  try {
    if (pid !== undefined) onLaunch({ pid, startTime: processStartTime(pid) ?? '' });
  } catch (error) {
    gate.destroy();
    throw error;
  }
  gate.end('\n', () => gate.destroy());
}

async function readAll(stream: Readable): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}

function launchError({ step, errno, subject }: Exclude<LaunchOutcome, { child: unknown }>, program: string): BoxError {
  const details = { step, errno, subject };
  if (step === 'exec') {
    return new BoxError('VM_START_FAILED', `${program} could not be executed (errno ${errno})`, { details });
  }
  const hint =
    step === 'landlock-unavailable'
      ? 'boot a kernel of 5.13 or later with Landlock among its security modules (lsm=landlock,...)'
      : 'the VMM was not started; `a3s-box info` shows what this machine offers';
  return new BoxError(
    'CONFINEMENT_FAILED',
    `the VMM could not be confined: step ${step} failed for ${subject} (errno ${errno})`,
    {
      hint,
      details,
    },
  );
}
