import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { LayerWorkers } from '../dist/layer-workers.js';
import { archive } from '../../erofs/test/support/tar-builder.ts';
import { temporary } from './support/store.ts';

const LIMITS = { maxBytes: 2 ** 30, maxEntries: 1000 };

/** A source that does not end before it is told to. */
function held(): { source: AsyncIterable<Buffer>; begun: Promise<void>; end: () => void } {
  const begin = Promise.withResolvers<void>();
  const { promise, resolve } = Promise.withResolvers<void>();
  const source = async function* (): AsyncGenerator<Buffer> {
    begin.resolve();
    yield archive([{ name: 'a', data: Buffer.from('x') }]);
    await promise;
  };
  return { source: source(), begun: begin.promise, end: resolve };
}

describe('the worker threads of an image store', () => {
  it('run no job that was cancelled while all were busy', async () => {
    await using place = await temporary();
    await using workers = new LayerWorkers(1);
    const first = held();
    const job = { directory: place.path, limits: LIMITS, requireEndMark: true };
    const busy = workers.layer(first.source, job, new AbortController().signal);
    const cancel = new AbortController();
    let read = false;
    const never = async function* (): AsyncGenerator<Buffer> {
      read = true;
      yield Buffer.alloc(1024);
    };
    const waiting = workers.layer(never(), { ...job, directory: '/nowhere' }, cancel.signal);
    cancel.abort(new Error('enough'));
    first.end();
    await assert.rejects(waiting, /enough/);
    assert.equal(read, false);
    assert.equal((await busy).tarBytes, 2560 - 512);
  });

  it('start nothing more once they are closed', async () => {
    await using place = await temporary();
    const workers = new LayerWorkers(1);
    const { signal } = new AbortController();
    const job = { directory: place.path, limits: LIMITS, requireEndMark: true };
    const running = held();
    const first = workers.layer(running.source, job, signal);
    const second = workers.layer(held().source, job, signal);
    const outcomes = Promise.allSettled([first, second]);
    await running.begun;
    await workers[Symbol.asyncDispose]();
    assert.deepEqual(
      (await outcomes).map((outcome) =>
        outcome.status === 'rejected' ? (outcome.reason as { code: string }).code : '',
      ),
      ['INTERNAL', 'CANCELLED'],
    );
  });
});
