/** Debian's docker-registry on loopback. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { run } from './programs.ts';

export interface DockerRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Puts an image of an OCI layout there. */
  push(layout: string, tag: string, name: string): void;
}

/** A user of the registry, and the bcrypt hash of the password. */
export const USER = { name: 'tester', password: 'test-password-7' };
const HTPASSWD = `${USER.name}:$2y$04$abcdefghijklmnopqrstuu0s82FrAIIR2V9nZ4ddJO7qZROpNCRDy\n`;

export interface DockerRegistryOptions {
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** Lets only {@link USER} in. */
  readonly password?: boolean;
  /** Lets in who has a token of this service, whose certificates these sign. */
  readonly token?: { readonly realm: string; readonly authority: string };
}

export async function dockerRegistry(
  directory: string,
  { tls, password = false, token }: DockerRegistryOptions = {},
): Promise<DockerRegistry> {
  const port = await freePort();
  const config = join(directory, 'registry.json');
  const storage = { filesystem: { rootdirectory: join(directory, 'registry') } };
  const passwords = join(directory, 'htpasswd');
  if (password) writeFileSync(passwords, HTPASSWD);
  const http = {
    addr: `127.0.0.1:${port}`,
    ...(tls && { tls: { certificate: tls.certificate, key: tls.key } }),
  };
  const auth = {
    ...(password && { htpasswd: { realm: 'test', path: passwords } }),
    ...(token && {
      token: { realm: token.realm, service: 'registry', issuer: 'test', rootcertbundle: token.authority },
    }),
  };
  writeFileSync(config, JSON.stringify({ version: '0.1', storage, http, ...(password || token ? { auth } : {}) }));
  const child = spawn('docker-registry', ['serve', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = once(child, 'exit');
  for await (const line of createInterface({ input: child.stderr })) if (line.includes('listening on')) break;
  child.stderr.resume();
  const host = `127.0.0.1:${port}`;
  return {
    host,
    push(layout, tag, name) {
      const user = password || token ? ['--dest-creds', `${USER.name}:${USER.password}`] : [];
      run('skopeo', [
        'copy',
        '-q',
        '--dest-tls-verify=false',
        ...user,
        `oci:${layout}:${tag}`,
        `docker://${host}/${name}`,
      ]);
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await exited;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
