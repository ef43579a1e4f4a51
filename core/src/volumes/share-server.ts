import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { listenUnix, processStartTime, shareLauncherPath } from '@a3s-box/native';
import { BoxError } from '../errors/box-error.js';
import type { ProcessIdentity } from '../ports/hypervisor.js';
import type { ShareSource } from './share-source.js';

/** Descriptors of the launcher: its gate, two streams, its status, the socket; then the sources. */
const SOCKET_DESCRIPTOR = 4;
const FIRST_SOURCE = 5;
/** What the server says when it can be connected to. */
const READY = 'Waiting for vhost-user';
const KEPT_BYTES = 4096;

export interface ShareEntry extends ShareSource {
  /** One path segment, the name on the share. */
  readonly name: string;
  readonly readOnly: boolean;
}

export interface ShareServerOptions {
  /** Absolute path of the server. */
  readonly program: string;
  /** Absolute path of a directory of its own, short, for a socket lies in it. Made, or made anew. */
  readonly directory: string;
  readonly entries: readonly ShareEntry[];
  /** Who the host's user is in the box, where the supervisor has one user's rights only. */
  readonly owner: { readonly uid: number; readonly gid: number };
  /** Is told of the process before it does anything. What it throws ends it, and the start. */
  readonly onLaunch: (process: ProcessIdentity) => void;
}

/**
 * A server of files for one VM, in a sandbox that holds those files alone (docs/adr/0088). It ends with its VM's connection,
 * and not with this process.
 */
export class ShareServer {
  /** Resolves with what it said last when it is gone. Never rejects. */
  readonly gone: Promise<string>;
  readonly #child: ChildProcess;
  #said = '';

  private constructor(
    child: ChildProcess,
    /** Where the VMM connects to. */
    readonly socket: string,
  ) {
    this.#child = child;
    this.gone = new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('close', (code, signal) => resolve(this.#said.trim() || (signal ?? `exit code ${code}`)));
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-KEPT_BYTES);
    });
  }

  /**
   * Starts a server. On return it can be connected to, once. The entries' descriptors stay the caller's.
   * @throws CONFINEMENT_FAILED when the sandbox could not be made; nothing runs then
   */
  static async start(options: ShareServerOptions): Promise<ShareServer> {
    const { directory, entries, onLaunch } = options;
    const launcher = shareLauncherPath();
    if (launcher === undefined) {
      throw new BoxError('CONFINEMENT_FAILED', 'the launcher of file servers a3s-box-share is not built', {
        hint: 'run npm run build in native/',
      });
    }
    const tree = join(directory, 'tree');
    await rm(directory, { recursive: true, force: true });
    await mkdir(tree, { recursive: true, mode: 0o700 });
    const socket = join(directory, 'fs.sock');
    const listening = listenUnix(socket);
    let server: ShareServer;
    try {
      const sources = entries.map(({ descriptor }) => descriptor);
      const child = spawn(launcher, launcherArguments(options, tree), {
        cwd: '/',
        env: {},
        stdio: ['pipe', 'ignore', 'pipe', 'pipe', listening, ...sources],
      });
      server = new ShareServer(child, socket);
    } finally {
      closeSync(listening);
    }
    try {
      server.#release(onLaunch);
      await server.#confined();
      await server.#ready();
      return server;
    } catch (error) {
      await server.kill();
      throw error;
    }
  }

  /** Ends it and waits until it is gone. Idempotent. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.gone;
  }

  /** Lets go of it; it goes on. */
  leave(): void {
    this.#child.stderr?.destroy();
    this.#child.unref();
  }

  /** Lets the launcher go on, which waits for its owner. */
  #release(onLaunch: ShareServerOptions['onLaunch']): void {
    const gate = this.#child.stdin as Writable;
    gate.on('error', () => undefined);
    const { pid } = this.#child;
    try {
      if (pid !== undefined) onLaunch({ pid, startTime: processStartTime(pid) ?? '' });
    } catch (error) {
      gate.destroy();
      throw error;
    }
    gate.end('\n', () => gate.destroy());
  }

  /** Waits until the launcher has become the server. */
  async #confined(): Promise<void> {
    let line = '';
    for await (const chunk of this.#child.stdio[3] as Readable) line += String(chunk);
    if (line !== '') throw launchError(line.trimEnd());
    // One that could not be started at all has no status either.
    if (this.#child.pid === undefined) {
      throw new BoxError('CONFINEMENT_FAILED', `the launcher of file servers could not be started: ${await this.gone}`);
    }
  }

  async #ready(): Promise<void> {
    const ready = new Promise<true>((resolve) => {
      const look = (): void => {
        if (this.#said.includes(READY)) resolve(true);
      };
      this.#child.stderr?.on('data', look);
      look();
    });
    const said = await Promise.race([ready, this.gone]);
    if (said === true) return;
    throw new BoxError('CONFINEMENT_FAILED', `the file server ended before it was ready: ${said}`);
  }
}

function launcherArguments({ program, entries, owner }: ShareServerOptions, tree: string): string[] {
  const shared = entries.flatMap(({ name, readOnly, path }, index) => [
    '--entry',
    ...[name, readOnly ? 'ro' : 'rw', String(FIRST_SOURCE + index), path],
  ]);
  return [
    ...['--keep', String(FIRST_SOURCE + entries.length), '--await-owner', '--tree', tree, ...shared, '--', program],
    ...[`--fd=${SOCKET_DESCRIPTOR}`, `--shared-dir=${tree}`, '--sandbox=namespace', '--seccomp=kill'],
    // File handles would need a right to open any file of a file system.
    ...['--inode-file-handles=never', '--modcaps=-mknod:-setfcap:-fsetid', '--rlimit-nofile=0'],
    ...['--cache=auto', '--xattr', '--log-level=info'],
    ...ownership(owner),
  ];
}

/**
 * Root's boxes see and keep all owners as they are. Those of an ordinary user own what they make as that user, who is shown
 * as the box's.
 */
function ownership({ uid, gid }: ShareServerOptions['owner']): string[] {
  if (process.geteuid?.() === 0) return [];
  const everyone = 'squash-guest:0:0:4294967295';
  return [
    ...[`--translate-uid=${everyone}`, `--translate-uid=host:0:${uid}:1`],
    ...[`--translate-gid=${everyone}`, `--translate-gid=host:0:${gid}:1`],
  ];
}

const ESTALE = 116;

function launchError(line: string): BoxError {
  const [step = '', errno = '0', ...rest] = line.split(' ');
  const subject = rest.join(' ');
  const details = { step, errno: Number(errno), subject };
  if (step === 'source') {
    const what =
      Number(errno) === ESTALE ? 'was replaced while the box was started' : `cannot be opened (errno ${errno})`;
    return new BoxError('CONFLICT', `bind source "${subject}" ${what}`, { details });
  }
  const hint =
    step === 'user-namespace'
      ? 'user namespaces are needed: see user.max_user_namespaces and kernel.apparmor_restrict_unprivileged_userns (sysctl)'
      : 'mount_setattr is needed: a kernel of 5.12 or newer';
  return new BoxError(
    'CONFINEMENT_FAILED',
    `the file server could not be confined: step ${step} failed for ${subject} (errno ${errno})`,
    { hint, details },
  );
}
