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

export async function dockerRegistry(directory: string): Promise<DockerRegistry> {
  const port = await freePort();
  const config = join(directory, 'registry.json');
  const storage = { filesystem: { rootdirectory: join(directory, 'registry') } };
  writeFileSync(config, JSON.stringify({ version: '0.1', storage, http: { addr: `127.0.0.1:${port}` } }));
  const child = spawn('docker-registry', ['serve', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = once(child, 'exit');
  for await (const line of createInterface({ input: child.stderr })) if (line.includes('listening on')) break;
  child.stderr.resume();
  const host = `127.0.0.1:${port}`;
  return {
    host,
    push(layout, tag, name) {
      run('skopeo', ['copy', '-q', '--dest-tls-verify=false', `oci:${layout}:${tag}`, `docker://${host}/${name}`]);
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
