import type { ImageConfig } from '@a3s-box/core';

/** A member of a layer archive. */
export interface LayerFile {
  readonly name: string;
  readonly content?: string;
}

/** A ustar archive of small files, owned by root. */
export function layerArchive(files: readonly LayerFile[]): Buffer {
  return Buffer.concat([...files.map(member), Buffer.alloc(1024)]);
}

function member({ name, content = '' }: LayerFile): Buffer {
  const data = Buffer.from(content);
  const block = Buffer.alloc(512);
  block.write(name, 0, 100);
  block.write('0000644\u00000000000\u00000000000\u0000', 100, 'latin1');
  block.write(`${data.length.toString(8).padStart(11, '0')}\u000000000000000\u0000        0`, 124, 'latin1');
  block.write('ustar\u000000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\u0000 `, 148, 'latin1');
  return Buffer.concat([block, data, Buffer.alloc((512 - (data.length % 512)) % 512)]);
}

export async function* streamOf(bytes: Uint8Array, piece = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
}

/** Yields some bytes and then nothing more, ever. */
export async function* stallingStream(bytes: Uint8Array, stalled: () => void): AsyncGenerator<Uint8Array> {
  yield bytes.subarray(0, 512);
  stalled();
  await new Promise<never>(() => undefined);
}

export const CONFIG: ImageConfig = {
  user: '1000:1000',
  env: ['A=1', 'PATH=/bin'],
  entrypoint: ['/entry'],
  cmd: ['run', 'it'],
  workingDir: '/work',
  exposedPorts: ['53/udp', '80/tcp'],
  volumes: ['/data'],
  labels: { 'com.example.a': 'b' },
  stopSignal: 'SIGINT',
  healthcheck: { test: ['CMD', 'true'], intervalNs: 1_000_000_000, retries: 3 },
};

export const CREATED = '2024-01-02T03:04:05Z';
