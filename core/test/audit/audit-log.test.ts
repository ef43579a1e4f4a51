import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AuditLog, type AuditEntry } from '../../dist/audit/audit-log.js';
import { AUDITED_CALLS } from '../../dist/audit/audited-calls.js';
import * as files from '../../dist/gen/a3s/box/supervisor/v1/files.js';
import * as lifecycle from '../../dist/gen/a3s/box/supervisor/v1/lifecycle.js';
import * as registries from '../../dist/gen/a3s/box/supervisor/v1/registries.js';
import * as signatures from '../../dist/gen/a3s/box/supervisor/v1/signatures.js';
import * as snapshots from '../../dist/gen/a3s/box/supervisor/v1/snapshots.js';
import * as supervisor from '../../dist/gen/a3s/box/supervisor/v1/supervisor.js';
import * as volumes from '../../dist/gen/a3s/box/supervisor/v1/volumes.js';
import * as watching from '../../dist/gen/a3s/box/supervisor/v1/watching.js';
import type { Logger } from '../../dist/index.js';
import { HomeLayout } from '../../dist/store/home-layout.js';

/** Calls that change nothing. A new call is either here or in the audit record. */
const READING = [
  'Registries/Resolve',
  'Signatures/ListReferrers',
  'Signatures/Verify',
  ...['Supervisor/Hello', 'Supervisor/Info'],
  ...['Boxes/Resize', 'Boxes/Logs', 'Boxes/Wait', 'Boxes/Inspect', 'Boxes/List', 'Boxes/Trace'],
  ...['Lifecycle/Top', 'Lifecycle/DiskUsage'],
  ...['Files/Stat', 'Files/Read', 'Files/Changes'],
  ...['Images/List', 'Images/Inspect', 'Images/Save'],
  ...['Snapshots/List', 'Snapshots/Inspect', 'Templates/List', 'Volumes/List', 'Volumes/Inspect'],
  ...['Watching/Events', 'Watching/Stats', 'Watching/Audit', 'Watching/Metrics'],
];

describe('the audit record', () => {
  let home: string;
  let log: AuditLog;
  const problems: string[] = [];
  const logger: Logger = {
    debug() {},
    info() {},
    warn: (_fields, message) => void problems.push(String(message)),
    error: (_fields, message) => void problems.push(String(message)),
    child: () => logger,
  };

  beforeEach(async () => {
    problems.length = 0;
    home = await mkdtemp(join(tmpdir(), 'a'));
    log = new AuditLog(new HomeLayout(home), logger);
  });
  afterEach(async () => {
    log[Symbol.dispose]();
    await rm(home, { recursive: true });
  });

  const entry = (over: Partial<AuditEntry> = {}): AuditEntry => ({
    time: new Date().toISOString(),
    call: 'c1',
    uid: 0,
    pid: 1,
    operation: 'Boxes.Exec',
    subject: 'web',
    details: {},
    outcome: 'ok',
    ...over,
  });
  const read = async (sinceNs = 0n, untilNs = 0n) =>
    (await Array.fromAsync(log.read({ sinceNs, untilNs }, new AbortController().signal))).flat();

  it('is read as it was written, by its owner alone, from a time to a time', async () => {
    const days = ['2026-01-01', '2026-01-02', '2026-01-03'].map((day) => `${day}T00:00:00.000Z`);
    for (const time of days) log.write(entry({ time }));
    assert.equal((await stat(join(home, 'audit.log'))).mode & 0o777, 0o600);
    assert.deepEqual(
      (await read()).map(({ time }) => time),
      days,
    );
    const second = BigInt(Date.parse(days[1]!)) * 1_000_000n;
    assert.deepEqual(
      (await read(second, second)).map(({ time }) => time),
      [days[1]],
    );
  });

  it('goes on after a line that was cut off, which it leaves out', async () => {
    log.write(entry({ subject: 'first' }));
    log.write(entry({ subject: 'cut' }));
    log[Symbol.dispose]();
    const path = join(home, 'audit.log');
    await truncate(path, (await readFile(path)).length - 20);
    log.write(entry({ subject: 'next' }));
    assert.deepEqual(
      (await read()).map(({ subject }) => subject),
      ['first', 'next'],
    );
    assert.deepEqual(problems, ['a line of the audit record is damaged']);
  });

  it('is bounded, in each entry and in all', async () => {
    log.write(entry({ details: { long: 'x'.repeat(10_000) } }));
    assert.deepEqual((await read())[0]?.details, { leftOut: 'too long' });
    for (let i = 0; i < 4500; i++) log.write(entry({ subject: String(i), details: { fill: 'y'.repeat(7000) } }));
    const sizes = await Promise.all((await readdir(home)).map(async (name) => (await stat(join(home, name))).size));
    assert.equal(sizes.length, 4);
    assert.ok(sizes.every((size) => size <= 4 * 1024 * 1024));
    const entries = await read();
    assert.equal(entries.at(-1)?.subject, '4499');
    assert.equal(Number(entries.at(-1)?.subject) - Number(entries[0]?.subject), entries.length - 1);
  }).timeout(10_000);

  it('does not fail what it cannot write down', async () => {
    await rm(home, { recursive: true });
    log.write(entry());
    assert.deepEqual(problems, ['an entry of the audit record could not be written']);
    home = await mkdtemp(join(tmpdir(), 'a'));
  });

  it('has every call that changes something', () => {
    const services = [files, lifecycle, registries, signatures, snapshots, supervisor, volumes, watching].flatMap(
      (module) =>
        Object.entries(module as Record<string, unknown>)
          .filter(([name, value]) => name.endsWith('Service') && typeof value === 'object')
          .map(([, value]) => value as Record<string, { readonly path: string }>),
    );
    const paths = services.flatMap((service) => Object.values(service).map(({ path }) => path));
    assert.ok(paths.length > 40, String(paths.length));
    const reading = READING.map((name) => `/a3s.box.supervisor.v1.${name}`);
    assert.deepEqual(paths.filter((path) => !AUDITED_CALLS.has(path)).sort(), reading.sort());
  });

  it('has names of variables and never their values', () => {
    const environment = ['TOKEN=hush', 'TAKEN_AWAY'];
    const tell = (path: string, request: unknown) =>
      JSON.stringify(AUDITED_CALLS.get(`/a3s.box.supervisor.v1.Boxes/${path}`)?.(request));
    const spec = supervisor.BoxSpec.create({ image: 'i', environment, command: ['x'.repeat(5000), 'y'] });
    const texts = [
      tell('Create', { spec }),
      tell('Run', { request: { $case: 'open', value: { spec, detached: true, box: '' } } }),
      tell('Exec', supervisor.ExecRequest.create({ box: 'b', command: ['ls'], environment })),
    ];
    for (const text of texts) {
      assert.match(text, /"TOKEN","TAKEN_AWAY"/);
      assert.doesNotMatch(text, /hush/);
      assert.ok(text.length < 2000);
    }
  });
});
