/** A KVM host that is emulated: a machine of its own in which this checkout runs with hardware virtualisation. */
import { execFile, spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { rmSync } from 'node:fs';
import { cp, mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { COMPILE_CACHE, fillCompileCache } from './compile-cache.ts';
import { compileForHost } from './compiled.ts';
import { Machine } from './machine.ts';
import { erofs, hostSnapshot, PROJECT_BYTES, SCRATCH_BYTES, snapshotDisks, type Snapshot } from './snapshot.ts';

const run = promisify(execFile);
/** Of the checkout, what does not go along: node_modules is a disk of its own. */
const LEFT_OUT = ['.git', '.cache', '.toolchain', 'node_modules', 'guest-init/target', 'guest-init/fuzz/target'];
/** On the scratch disk: the home that test/support/host-home.ts makes others from. */
const SEED = 'seed';
/** On the scratch disk: what is written to the checkout. */
const UPPER = 'upper';
/** Where the checkout is in the host. Writable; what is written is gone with the host. */
export const CHECKOUT = '/a3s-box';

export interface HostCommand {
  /** A line for the host's shell. */
  readonly line: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Whether it gets a terminal, which is this process's. */
  readonly terminal?: boolean;
  /** Default: the checkout. */
  readonly directory?: string;
}

export class KvmHost implements AsyncDisposable {
  readonly #directory: string;
  readonly #machine: Machine;
  readonly #ssh: readonly string[];
  /** For a process that ends without closing: QEMU ends with it, the files would stay. */
  readonly #removeFiles = (): void => rmSync(this.#directory, { recursive: true, force: true });

  private constructor(directory: string, machine: Machine, ssh: readonly string[]) {
    this.#directory = directory;
    this.#machine = machine;
    this.#ssh = ssh;
    process.on('exit', this.#removeFiles);
  }

  /**
   * Starts a host from the snapshot, which is made first where there is none. The checkout in it is that of this moment.
   * @param root the checkout @param say is told what takes long
   */
  static async start(root: string, say: (line: string) => void): Promise<KvmHost> {
    const snapshot = await hostSnapshot(root, say);
    await using undo = new AsyncDisposableStack();
    const directory = await mkdtemp(join(tmpdir(), 'kvm-host-'));
    undo.defer(() => rm(directory, { recursive: true, force: true }));
    const machine = undo.use(await startMachine(root, snapshot, directory));
    const ssh = await sshOptions(root, directory, await machine.shellPort());
    const host = new KvmHost(directory, machine, ssh);
    await host.#activate();
    undo.move();
    return host;
  }

  /** Runs a command; it ends with the command's status. */
  spawn(command: HostCommand, options: SpawnOptions = {}): ChildProcess {
    const terminal = command.terminal === true ? ['-tt'] : ['-T'];
    return spawn('ssh', [...this.#ssh, ...terminal, 'kvm-host', shellLine(command)], options);
  }

  /** Runs a command to its end. @throws when it does not end with status 0 */
  async run(command: HostCommand): Promise<string> {
    const { stdout } = await run('ssh', [...this.#ssh, '-T', 'kvm-host', shellLine(command)], {
      maxBuffer: 256 * 2 ** 20,
    });
    return stdout;
  }

  /** What the host's kernel said. */
  console(): Promise<string> {
    return readFile(join(this.#directory, 'console.log'), 'utf8');
  }

  async close(): Promise<void> {
    await run('ssh', [...this.#ssh, '-O', 'exit', 'kvm-host']).catch(() => undefined);
    await this.#machine.close();
    process.off('exit', this.#removeFiles);
    this.#removeFiles();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The first command; its connection serves those that follow. */
  async #activate(): Promise<void> {
    const seconds = (Date.now() / 1000).toFixed(3);
    const master = ['-o', 'ControlMaster=yes', '-o', 'ControlPersist=yes', '-o', 'ConnectTimeout=60'];
    const child = spawn('ssh', [...master, ...this.#ssh, 'kvm-host', `/kvm-host/activate ${seconds}`], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const status = await new Promise((resolve) => child.once('exit', resolve));
    if (status !== 0) throw new Error(`the KVM host could not be made ready (status ${String(status)})`);
  }
}

async function startMachine(root: string, snapshot: Snapshot, directory: string): Promise<Machine> {
  const project = join(directory, 'project.erofs');
  const scratch = join(directory, 'scratch.ext4');
  compileForHost();
  await Promise.all([projectImage(root, project), scratchDisk(root, directory, scratch)]);
  const disks = { ...snapshotDisks(snapshot), project, scratch };
  const consoleLog = join(directory, 'console.log');
  const machine = await Machine.start({ memory: snapshot.memory, disks, consoleLog });
  try {
    await machine.load(snapshot.state);
    return machine;
  } catch (error) {
    await machine.close();
    throw error;
  }
}

async function projectImage(root: string, image: string): Promise<void> {
  await erofs(image, root, LEFT_OUT);
  await truncate(image, PROJECT_BYTES);
}

/** Empty but for what the host takes long to make: a home with the starter image in it, and the compile cache. */
async function scratchDisk(root: string, directory: string, file: string): Promise<void> {
  const contents = join(directory, 'scratch');
  const home = join(contents, SEED);
  const environment = { ...process.env, A3S_BOX_HOME: home };
  await run(process.execPath, [join(root, 'scripts/starter.ts')], { env: environment });
  await fillCompileCache(root);
  await cp(join(root, COMPILE_CACHE), join(contents, UPPER, COMPILE_CACHE), { recursive: true });
  await (await open(file, 'w')).close();
  await truncate(file, SCRATCH_BYTES);
  await run('mke2fs', [
    '-q',
    '-F',
    '-t',
    'ext4',
    '-O',
    '^has_journal',
    '-E',
    'lazy_itable_init=1',
    '-d',
    contents,
    file,
  ]);
  await rm(contents, { recursive: true });
}

async function sshOptions(root: string, directory: string, port: number): Promise<string[]> {
  const cache = join(root, '.cache/kvm-host');
  const known = join(directory, 'known-hosts');
  await writeFile(known, `kvm-host ${await readFile(join(cache, 'host-key.pub'), 'utf8')}`);
  const settings = {
    HostName: '127.0.0.1',
    Port: port,
    User: 'root',
    HostKeyAlias: 'kvm-host',
    IdentityFile: join(cache, 'key'),
    IdentitiesOnly: 'yes',
    UserKnownHostsFile: known,
    StrictHostKeyChecking: 'yes',
    LogLevel: 'ERROR',
    ControlPath: join(directory, 'ssh'),
    // The cheapest for an emulated processor.
    KexAlgorithms: 'curve25519-sha256',
    Ciphers: 'aes128-ctr',
    MACs: 'umac-64-etm@openssh.com',
  };
  return ['-F', '/dev/null', ...Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])];
}

function shellLine({ line, environment = {}, directory = CHECKOUT }: HostCommand): string {
  const variables = Object.entries(environment).map(([name, value]) => `export ${name}=${shellWord(value)}; `);
  return `cd ${shellWord(directory)} && ${variables.join('')}${line}`;
}

/** A word that the shell takes as it is. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
