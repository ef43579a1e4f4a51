/** Stores in temporary directories. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogFields, Logger } from '@a3s-box/core';
import { OciImageStore, type OciImageStoreOptions } from '../../dist/index.js';

export const operation = { signal: new AbortController().signal };

export interface TestStore extends AsyncDisposable {
  readonly store: OciImageStore;
  readonly directory: string;
  readonly warnings: readonly LogFields[];
}

export async function temporary(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'images-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

export function collectingLogger(warnings: LogFields[]): Logger {
  const logger: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: (fields) => void warnings.push(fields),
    error: (fields) => void warnings.push(fields),
    child: () => logger,
  };
  return logger;
}

/** Soon over: registries of tests that fail do so for good. */
export const IMPATIENT = {
  silenceMs: 2000,
  retries: { attempts: 3, firstDelayMs: 5, maxDelayMs: 20, maxAskedMs: 1500 },
};

export async function testStore(
  limits: OciImageStoreOptions['limits'] = {},
  options: Partial<OciImageStoreOptions> = {},
): Promise<TestStore> {
  const place = await temporary();
  const directory = join(place.path, 'store');
  const warnings: LogFields[] = [];
  const store = await OciImageStore.open({
    directory,
    logger: collectingLogger(warnings),
    limits,
    patience: IMPATIENT,
    ...options,
  });
  return {
    store,
    directory,
    warnings,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    },
  };
}
