/** A supervisor that is killed at each write of its databases in turn. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { BoxClient } from '@a3s-box/core/client';
import { processGone, type SdkHome } from './sdk-home.ts';

export interface EachWriteOptions {
  /** What the supervisor is killed in. */
  readonly act: (client: BoxClient) => Promise<unknown>;
  /** Looks at what the next supervisor makes of it, and takes the home back to where it was. */
  readonly check: (client: BoxClient, death: string) => Promise<void>;
  /** Whether it dies right after each write too, and not after the last one only: little happens up to the next one. */
  readonly alsoAfter: boolean;
}

/**
 * Has a supervisor die before, and another one after, each write that `act` takes when nobody is killed.
 * @returns how many writes that are
 */
export async function dieAtEachWrite(home: SdkHome, { act, check, alsoAfter }: EachWriteOptions): Promise<number> {
  // The first time makes what is there from then on.
  await countWrites(home, { act, check });
  const count = await countWrites(home, { act, check });
  for (let write = 0; write < count; write++) {
    for (const moment of alsoAfter || write === count - 1 ? ['before', 'after'] : ['before']) {
      const first = await home.connect(moment, String(write));
      await assert.rejects(act(first), `it outlived the moment ${moment} write ${write} of ${count}`);
      await processGone(first.supervisor.pid);
      first.close();
      const second = await home.connect();
      await check(second, `${moment} ${write}`);
      await home.stopSupervisor(second);
    }
  }
  return count;
}

async function countWrites(home: SdkHome, { act, check }: Pick<EachWriteOptions, 'act' | 'check'>): Promise<number> {
  const path = join(home.path, 'writes');
  rmSync(path, { force: true });
  const client = await home.connect('count', '0');
  await act(client);
  const count = readFileSync(path, 'utf8').split('\n').length - 1;
  await check(client, 'none');
  await home.stopSupervisor(client);
  rmSync(path);
  return count;
}
