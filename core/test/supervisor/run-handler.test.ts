import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { BoxSpec, type RunRequest } from '../../dist/gen/a3s/box/supervisor/v1/supervisor.js';
import { handleRun } from '../../dist/supervisor/run-handler.js';

describe('a run', () => {
  it('is given up when its client went away before it had said what to run', async () => {
    const call = new Duplex({ objectMode: true, read: () => {}, write: (_message, _encoding, done) => done() });
    const seen: boolean[] = [];
    const boxes = { run: async (_spec: unknown, { signal }: { signal: AbortSignal }) => seen.push(signal.aborted) };
    const handled = handleRun(boxes as never, { for: async () => [] } as never, call as never);
    call.emit('cancelled');
    const spec = BoxSpec.create({ image: 'x' });
    call.push({ request: { $case: 'open', value: { spec, detached: true, box: '' } } } satisfies RunRequest);
    await handled;
    assert.deepEqual(seen, [true]);
  });
});
