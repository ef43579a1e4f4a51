/** Writers of registries that do what a test wants. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { digestOf } from '../../dist/digest.js';
import { parseReference } from '../../dist/reference.js';
import { Registries } from '../../dist/registries.js';
import { RegistryWriter } from '../../dist/registry-writer.js';
import { IMPATIENT, operation } from './store.ts';
import {
  writableRegistry,
  type Intercept,
  type WritableRegistry,
  type WritableRegistryOptions,
} from './writable-registry.ts';

export const content = randomBytes(20 * 2 ** 20);
export const blob = { digest: digestOf(content), size: content.length, content };
export const small = Buffer.from('{}');
export const smallBlob = { digest: digestOf(small), size: small.length, content: small };

export interface Writing {
  readonly registry: WritableRegistry;
  readonly writer: RegistryWriter;
}

export interface WritingOptions extends WritableRegistryOptions {
  readonly silenceMs?: number;
}

export const USER = { username: 'tester', password: 'test-password-7' };

/** Gives a writer of the repository `team/app` of a registry, which knows a password. */
export async function writing(
  { silenceMs = IMPATIENT.silenceMs, ...options }: WritingOptions,
  work: (writing: Writing) => Promise<void>,
): Promise<void> {
  await using registry = await writableRegistry(options);
  const credentials = [{ ...USER, registry: registry.host }];
  const patience = { ...IMPATIENT, silenceMs };
  await using registries = new Registries({ plainHttp: true, credentials }, operation.signal, patience);
  const [connection] = registries.connections(parseReference(`${registry.host}/team/app`));
  assert.ok(connection);
  await work({ registry, writer: new RegistryWriter(connection) });
}

/** Does something with the first requests of a method, and then what it should. */
export function atFirst(times: number, wanted: string, trouble: Intercept): Intercept {
  let seen = 0;
  return (request, response) => request.method === wanted && seen++ < times && trouble(request, response);
}

/** Answers with a status. */
export const status =
  (code: number, headers: Record<string, string> = {}, body = ''): Intercept =>
  (_request, response) => {
    response.writeHead(code, headers).end(body);
    return true;
  };
