/**
 * A supervisor that dies by SIGKILL at one write to any of its databases: `node dying-supervisor.ts HOME MOMENT NUMBER
 * [PROTOCOL-MINOR]`, with MOMENT `before` or `after`, and NUMBER from 0, counted from when it is ready. With `never` it
 * does not; with `count` it tells in HOME/writes of each, one line for one.
 */
import { appendFileSync, closeSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementResultingChanges, type StatementSync } from 'node:sqlite';
import { PinoLogger, runSupervisor } from '@a3s-box/core/host';

const [home = '', moment, number, minor] = process.argv.slice(2);
const cli = join(import.meta.dirname, '../../../cli');
let ready = false;
let writes = 0;

/** Does what changes a database for good, or dies before or after it. */
function write<T>(work: () => T): T {
  if (!ready) return work();
  const now = writes++;
  const die = (when: string): void => {
    if (when === moment && now === Number(number)) process.kill(process.pid, 'SIGKILL');
  };
  die('before');
  const result = work();
  if (moment === 'count') appendFileSync(join(home, 'writes'), `${now}\n`);
  die('after');
  return result;
}

const prototype = DatabaseSync.prototype;
const { exec, prepare } = prototype;
prototype.exec = function (this: DatabaseSync, sql: string): void {
  const commits = /\bCOMMIT\b/.test(sql) || (/^\s*(INSERT|UPDATE|DELETE|REPLACE)\b/i.test(sql) && !this.isTransaction);
  if (commits) write(() => exec.call(this, sql));
  else exec.call(this, sql);
};
prototype.prepare = function (this: DatabaseSync, ...rest: Parameters<typeof prepare>): StatementSync {
  const statement = prepare.apply(this, rest);
  const run = statement.run.bind(statement) as (...values: unknown[]) => StatementResultingChanges;
  const changing = (...values: unknown[]): StatementResultingChanges =>
    this.isTransaction ? run(...values) : write(() => run(...values));
  return Object.assign(statement, { run: changing });
};

const ending = new AbortController();
process.on('SIGTERM', () => ending.abort());
using logger = PinoLogger.open({ level: 'info', destination: { descriptor: 2 } });
await runSupervisor({
  home,
  builtInDistribution: join(cli, 'distribution.json'),
  resolveFrom: [cli],
  logger,
  ready: () => {
    ready = true;
    writeSync(3, '{"ready":true}\n');
    closeSync(3);
  },
  signal: ending.signal,
  ...(minor === undefined ? {} : { protocolMinor: Number(minor) }),
});
