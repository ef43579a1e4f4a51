import assert from 'node:assert/strict';
import { imageRows } from '../../dist/actions/images.js';
import { humanSize } from '../../dist/views/human-size.js';
import { exitCodeOf } from '../../dist/actions/exit-code.js';
import { table } from '../../dist/actions/table.js';
import { traceOf } from '../../dist/actions/trace-file.js';

describe('tables', () => {
  it('line up their columns and end no line with blanks', () => {
    assert.equal(
      table([
        ['A', 'LONG', 'C'],
        ['aaa', 'b', ''],
        ['a', '', 'c'],
      ]),
      'A         LONG      C\naaa       b\na                   c\n',
    );
  });
});

describe('images', () => {
  const now = new Date('2026-01-01T00:00:00Z');
  const image = {
    id: `sha256:${'ab'.repeat(32)}`,
    digest: '',
    platform: '',
    sizeBytes: 5,
    names: [] as string[],
    repoDigests: [],
  };
  const rows = (names: string[]) => imageRows([{ ...image, names }], now);

  it('have a line for each name, without what is meant anyway', () => {
    const names = ['docker.io/library/alpine:3', 'localhost:5000/a/b:x', 'docker.io/a3s/starter:latest'];
    assert.deepEqual(
      rows(names).map((row) => [row['Repository'], row['Tag']]),
      [
        ['alpine', '3'],
        ['localhost:5000/a/b', 'x'],
        ['a3s/starter', 'latest'],
      ],
    );
  });

  it('without a name or tag are shown as such', () => {
    const shown = {
      CreatedAt: 'N/A',
      CreatedSince: 'N/A',
      Digest: '<none>',
      ID: 'abababababab',
      Platform: '',
      Size: '5B',
    };
    assert.deepEqual(rows([]), [{ ...shown, Repository: '<none>', Tag: '<none>' }]);
    assert.deepEqual(rows(['localhost:5000/a']), [{ ...shown, Repository: 'localhost:5000/a', Tag: '<none>' }]);
  });

  it('have sizes in decimal units', () => {
    assert.deepEqual([0, 999, 1000, 1_234_567, 5e12].map(humanSize), ['0B', '999B', '1kB', '1.23MB', '5TB']);
  });
});

describe('exit statuses', () => {
  const exit = { known: true, code: 137, outOfMemory: false, timedOut: false, timeNs: 0n } as const;

  it('are the workload’s, but 124 when its time was over', () => {
    assert.equal(exitCodeOf(exit), 137);
    assert.equal(exitCodeOf({ ...exit, timedOut: true }), 124);
  });

  it('are never made up', () => {
    const unknown = { ...exit, known: false, reason: 'the VMM was killed' } as const;
    assert.throws(() => exitCodeOf(unknown), { code: 'VM_ENDED', message: /not known: the VMM was killed/ });
  });
});

describe('traces', () => {
  it('count microseconds from the first event, a process for each part', () => {
    const { traceEvents } = traceOf([
      { process: 'cli', name: 'b', startNs: 2_000_500n, endNs: 2_001_000n },
      { process: 'kernel', name: 'a', startNs: 1_000_000n, endNs: 0n },
      { process: 'other', name: 'c', startNs: 1_000_000n, endNs: 1_000_000n },
    ]) as {
      traceEvents: { ph: string; name: string; pid: number; ts: number; dur: number; args?: { name?: string } }[];
    };
    const spans = traceEvents.filter(({ ph }) => ph === 'X');
    assert.deepEqual(
      spans.map(({ name, ts, dur }) => [name, ts, dur]),
      [
        ['b', 1000.5, 0.5],
        ['a', 0, 1001],
        ['c', 0, 0],
      ],
    );
    const processes = new Map(
      traceEvents.filter(({ name }) => name === 'process_name').map(({ pid, args }) => [pid, args?.name]),
    );
    assert.deepEqual(
      spans.map(({ pid }) => processes.get(pid)),
      ['cli', 'kernel', 'other'],
    );
  });
});
