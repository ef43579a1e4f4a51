import { BoxError } from '@a3s-box/core';
import type { QmpClient, QmpEvent } from './qmp-client.js';

/** The guest's memory stays in its file, and is not part of the stream. */
const CAPABILITIES = [
  { capability: 'x-ignore-shared', state: true },
  { capability: 'events', state: true },
];
/** Nothing has moved on the network, so there is nothing to tell it. */
const PARAMETERS = { 'announce-rounds': 0 };
const STATE_NAME = 'state';

/** Follows QEMU's one migration by its events (qemu-qmp-ref, MIGRATION). */
export class MigrationProgress {
  readonly #ended = Promise.withResolvers<string>();

  take({ event, data }: QmpEvent): void {
    const status = String(data?.['status']);
    if (event === 'MIGRATION' && (status === 'completed' || status === 'failed')) this.#ended.resolve(status);
  }

  /** @throws TEMPLATE_UNUSABLE when it failed */
  async completed(): Promise<void> {
    if ((await this.#ended.promise) !== 'completed') {
      throw new BoxError('TEMPLATE_UNUSABLE', 'the state of the devices could not be moved');
    }
  }
}

/** Writes the devices' state of a machine that stands still. @param state descriptor to write to; stays the caller's */
export async function saveState(qmp: QmpClient, progress: MigrationProgress, state: number): Promise<void> {
  await prepare(qmp);
  await qmp.executeWithDescriptor('getfd', { fdname: STATE_NAME }, state);
  await qmp.execute('migrate', { uri: `fd:${STATE_NAME}` });
  await progress.completed();
}

/** Loads the devices' state into a machine that was started for it. @param state its descriptor's number in the VMM */
export async function loadState(qmp: QmpClient, progress: MigrationProgress, state: number): Promise<void> {
  await Promise.all([prepare(qmp), qmp.execute('migrate-incoming', { uri: `fd:${state}` })]);
  await progress.completed();
}

async function prepare(qmp: QmpClient): Promise<void> {
  await Promise.all([
    qmp.execute('migrate-set-capabilities', { capabilities: CAPABILITIES }),
    qmp.execute('migrate-set-parameters', PARAMETERS),
  ]);
}
