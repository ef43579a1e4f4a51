import assert from 'node:assert/strict';
import { ageOf, imageTable, sizeOf } from '../../dist/actions/images.js';
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
      'A     LONG   C\naaa   b\na            c\n',
    );
  });
});

describe('images', () => {
  const now = new Date('2026-01-01T00:00:00Z');
  const image = { id: `sha256:${'ab'.repeat(32)}`, digest: '', platform: '', sizeBytes: 5, names: [] as string[] };
  const lines = (names: string[]) =>
    imageTable([{ ...image, names }], now)
      .split('\n')
      .slice(1, -1);

  it('have a line for each name, without what is meant anyway', () => {
    const names = ['docker.io/library/alpine:3', 'localhost:5000/a/b:x', 'docker.io/a3s/starter:latest'];
    const columns = lines(names).map((line) => line.split(/ {3,}/).slice(0, 2));
    assert.deepEqual(columns, [
      ['alpine', '3'],
      ['localhost:5000/a/b', 'x'],
      ['a3s/starter', 'latest'],
    ]);
  });

  it('without a name or tag are shown as such', () => {
    assert.match(lines([])[0]!, /^<none> +<none> +abababababab +N\/A +5B$/);
    assert.match(lines(['localhost:5000/a'])[0]!, /^localhost:5000\/a +<none> /);
  });

  const ages: [string, string][] = [
    ['2025-12-31T23:59:59Z', '1 second'],
    ['2025-12-31T23:58:30Z', '1 minute'],
    ['2025-12-31T00:00:01Z', '23 hours'],
    ['2025-12-29T00:00:00Z', '3 days'],
    ['2025-12-11T00:00:00Z', '3 weeks'],
    ['2025-07-01T00:00:00Z', '6 months'],
    ['2020-01-01T00:00:00Z', '6 years'],
    ['2027-01-01T00:00:00Z', '0 seconds'],
  ];
  for (const [date, age] of ages) it(`of ${date} are ${age} old`, () => assert.equal(ageOf(new Date(date), now), age));

  it('have sizes in decimal units', () => {
    assert.deepEqual([0, 999, 1000, 1_234_567, 5e12].map(sizeOf), ['0B', '999B', '1kB', '1.23MB', '5TB']);
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
