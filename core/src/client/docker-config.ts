import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, realpath, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BoxError } from '../errors/box-error.js';
import type { RegistryCredentials } from '../ports/registry.js';

/** Docker Hub's name in Docker's files, and for its helpers. */
const DOCKER_HUB = 'https://index.docker.io/v1/';

type Fields = Readonly<Record<string, unknown>>;

/** How Docker's files and helpers call a registry. @param registry `host` or `host:port` */
export function serverName(registry: string): string {
  return registry === 'docker.io' ? DOCKER_HUB : registry;
}

/** The registry that an entry is for: Docker has taken addresses with scheme and path, too. */
export function registryOf(server: string): string {
  const host = server.replace(/^https?:\/\//, '').split('/', 1)[0] ?? '';
  return ['index.docker.io', 'registry-1.docker.io'].includes(host) ? 'docker.io' : host;
}

/** Docker's `config.json`: read and written whole, so that what others keep there stays. */
export class DockerConfig {
  readonly file: string;

  /** @param directory absolute path, `~/.docker` or what DOCKER_CONFIG says */
  constructor(directory: string) {
    this.file = join(directory, 'config.json');
  }

  /** Helper that keeps the credentials of a registry. @throws INVALID_ARGUMENT when the file is damaged */
  async helper(registry: string): Promise<string | undefined> {
    const document = await this.#read();
    const own = entryOf(fieldsOf(document['credHelpers']), registry);
    const name = own ?? document['credsStore'];
    if (name === undefined || name === '') return undefined;
    if (typeof name === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) return name;
    throw this.#damaged('it names a credential helper that is none');
  }

  /** Credentials that the file itself has. @throws INVALID_ARGUMENT when it is damaged */
  async credentials(registry: string): Promise<RegistryCredentials | undefined> {
    const entry = fieldsOf(entryOf(fieldsOf((await this.#read())['auths']), registry));
    const text = (name: string): string | undefined => {
      const value = entry[name];
      return typeof value === 'string' && value !== '' ? value : undefined;
    };
    const pair = text('auth') === undefined ? undefined : Buffer.from(text('auth') ?? '', 'base64').toString('utf8');
    const colon = pair?.indexOf(':') ?? -1;
    if (pair !== undefined && colon < 1) throw this.#damaged(`its entry for ${registry} is no user name and password`);
    const username = pair === undefined ? text('username') : pair.slice(0, colon);
    // Docker has padded passwords with zeros.
    const password = pair === undefined ? text('password') : pair.slice(colon + 1).replace(/\0+$/, '');
    const [identityToken, registryToken] = [text('identitytoken'), text('registrytoken')];
    if (username === undefined && identityToken === undefined && registryToken === undefined) return undefined;
    return {
      registry,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(identityToken !== undefined && { identityToken }),
      ...(registryToken !== undefined && { registryToken }),
    };
  }

  /** Writes credentials into the file, in the place of others for the registry. */
  async keep({ registry, username = '', password = '', identityToken }: RegistryCredentials): Promise<void> {
    const auth = Buffer.from(`${username}:${password}`).toString('base64');
    await this.#change((auths) => {
      remove(auths, registry);
      auths[serverName(registry)] = { auth, ...(identityToken !== undefined && { identitytoken: identityToken }) };
      return true;
    });
  }

  /** Takes credentials out of the file. @returns whether there were any */
  async forget(registry: string): Promise<boolean> {
    return this.#change((auths) => remove(auths, registry));
  }

  /** @param change returns whether it changed something */
  async #change(change: (auths: Record<string, unknown>) => boolean): Promise<boolean> {
    const document = await this.#read();
    const auths = { ...fieldsOf(document['auths']) };
    if (!change(auths)) return false;
    await this.#write(`${JSON.stringify({ ...document, auths }, null, '\t')}\n`);
    return true;
  }

  async #read(): Promise<Fields> {
    let text: string;
    try {
      text = await readFile(this.file, 'utf8');
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return {};
      throw this.#damaged(`it cannot be read: ${code}`);
    }
    try {
      const document = JSON.parse(text) as unknown;
      if (typeof document === 'object' && document !== null && !Array.isArray(document)) return document as Fields;
    } catch {
      // The parser's message would show what is in the file.
      throw this.#damaged('it is not JSON');
    }
    throw this.#damaged('it is no JSON object');
  }

  /** As one step, readable by its owner alone from its first byte. A link stays one. */
  async #write(text: string): Promise<void> {
    let temporary: string | undefined;
    try {
      await mkdir(dirname(this.file), { recursive: true, mode: 0o700 });
      const file = await realpath(this.file).catch(() => this.file);
      temporary = `${file}.${randomBytes(6).toString('hex')}`;
      {
        await using handle = await open(temporary, 'wx', 0o600);
        await handle.writeFile(text);
        await handle.sync();
      }
      await rename(temporary, file);
    } catch (cause) {
      if (temporary !== undefined) await rm(temporary, { force: true });
      const { code } = cause as NodeJS.ErrnoException;
      throw new BoxError('PERMISSION_DENIED', `credentials cannot be written to ${this.file}: ${code}`, { cause });
    }
  }

  #damaged(problem: string): BoxError {
    return new BoxError('INVALID_ARGUMENT', `Docker's configuration ${this.file} cannot be used: ${problem}`, {
      hint: 'correct it, or set DOCKER_CONFIG to another directory',
    });
  }
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

/** The entry with the registry's own name, else one that stands for it. */
function entryOf(fields: Fields, registry: string): unknown {
  const own = serverName(registry);
  if (Object.hasOwn(fields, own)) return fields[own];
  const key = Object.keys(fields).find((server) => registryOf(server) === registry);
  return key === undefined ? undefined : fields[key];
}

function remove(auths: Record<string, unknown>, registry: string): boolean {
  const keys = Object.keys(auths).filter((server) => registryOf(server) === registry);
  for (const key of keys) delete auths[key];
  return keys.length > 0;
}
