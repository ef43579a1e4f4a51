import { BoxError, isBoxError } from '@a3s-box/core';
import { BoxClient, registryOf, type DockerCredentials, type RegistryCredentials } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { loginFlags } from '../commands/login.js';
import type { Invocation } from '../invocation.js';
import { ask } from './ask.js';
import { dockerCredentials } from './docker-credentials.js';
import { readStdin } from './read-stdin.js';

/** Longest password that is read, characters. */
const LONGEST = 64 * 1024;

type LoginInput = Input<typeof loginFlags>;

/** `login`. */
export async function logIn({ flags, args }: LoginInput, invocation: Invocation): Promise<number> {
  const registry = registryNamed(args[0]);
  const kept = dockerCredentials(invocation);
  if (flags['password-stdin'] && flags.username === undefined) {
    throw new BoxError('INVALID_ARGUMENT', 'login: --password-stdin needs a user name', { hint: 'give one with -u' });
  }
  const options = { plainHttp: flags['plain-http'] };
  const asked = flags.username !== undefined;
  using client = await BoxClient.connect(invocation);
  if (!asked && (await stillValid(client, { registry, kept, options }))) return 0;
  const credentials = { registry, ...(await userAndPassword(flags)) };
  await client.registries.login(credentials, options);
  const { kind, place } = await kept.keep(credentials);
  if (kind === 'file')
    process.stderr.write(`The password is kept in ${place}, not encrypted; a credential helper would.\n`);
  process.stdout.write('Login Succeeded\n');
  return 0;
}

/** `logout`. */
export async function logOut({ args }: Input<Record<never, never>>, invocation: Invocation): Promise<number> {
  const registry = registryNamed(args[0]);
  const known = await dockerCredentials(invocation).forget(registry);
  process.stdout.write(known ? `Removing login credentials for ${registry}\n` : `Not logged in to ${registry}\n`);
  return 0;
}

interface KeptLogin {
  readonly registry: string;
  readonly kept: DockerCredentials;
  readonly options: { readonly plainHttp: boolean };
}

/** Tries what is kept already, as Docker does. */
async function stillValid(client: BoxClient, { registry, kept, options }: KeptLogin): Promise<boolean> {
  const known = await kept.find(registry);
  if (known === undefined) return false;
  process.stderr.write(`Authenticating with existing credentials${known.username ? ` of ${known.username}` : ''}\n`);
  try {
    await client.registries.login(known, options);
  } catch (error) {
    if (!isBoxError(error) || error.code !== 'REGISTRY_DENIED' || !process.stdin.isTTY) throw error;
    process.stderr.write(`${error.message}\n`);
    return false;
  }
  process.stdout.write('Login Succeeded\n');
  return true;
}

async function userAndPassword(
  flags: LoginInput['flags'],
): Promise<Required<Pick<RegistryCredentials, 'username' | 'password'>>> {
  if (flags['password-stdin']) return { username: flags.username ?? '', password: checked(await readStdin()) };
  if (!process.stdin.isTTY) {
    throw new BoxError('INVALID_ARGUMENT', 'login: stdin is no terminal, so nothing can be asked for', {
      hint: 'give the user name with -u, and the password with --password-stdin',
    });
  }
  const username = (flags.username ?? (await ask('Username: '))).trim();
  if (username === '') throw new BoxError('INVALID_ARGUMENT', 'login: the user name is empty');
  return { username, password: checked(await ask('Password: ', { hidden: true })) };
}

function checked(password: string): string {
  if (password !== '' && password.length <= LONGEST) return password;
  throw new BoxError('INVALID_ARGUMENT', `login: the password is ${password === '' ? 'empty' : 'too long'}`);
}

function registryNamed(server: string | undefined): string {
  return registryOf(server ?? 'docker.io');
}
