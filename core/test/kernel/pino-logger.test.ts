import assert from 'node:assert/strict';
import { openSync, readFileSync, statSync, closeSync } from 'node:fs';
import { join } from 'node:path';
import { BoxError } from '@a3s-box/core';
import { PinoLogger, type LogLevel } from '@a3s-box/core/host';
import { temporaryDirectory } from './support.ts';

/** The lines that a logger wrote. */
function written(level: LogLevel, log: (logger: PinoLogger) => void): Record<string, unknown>[] {
  using tmp = temporaryDirectory();
  const file = join(tmp.path, 'log');
  using logger = PinoLogger.open({ level, destination: { file } });
  log(logger);
  if (process.platform !== 'win32') assert.equal(statSync(file).mode & 0o777, 0o600);
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

const fieldsOf = (fields: Readonly<Record<string, unknown>>) => {
  const [line] = written('info', (logger) => logger.info(fields, 'm'));
  return line ?? {};
};

describe('the logger', () => {
  it('writes a line of JSON at once, with level, time and message', () => {
    const [line, ...rest] = written('info', (logger) => logger.warn({ box: 'a' }, 'box stopped'));
    assert.deepEqual(rest, []);
    assert.equal(line?.['level'], 40);
    assert.equal(line?.['msg'], 'box stopped');
    assert.equal(line?.['box'], 'a');
    assert.equal(line?.['pid'], process.pid);
    assert.ok(Math.abs(Date.parse(String(line?.['time'])) - Date.now()) < 60_000);
  });

  it('leaves out what is below its level', () => {
    const lines = written('warn', (logger) => {
      logger.debug({}, 'd');
      logger.info({}, 'i');
      logger.warn({}, 'w');
      logger.error({}, 'e');
    });
    assert.deepEqual(
      lines.map(({ msg }) => msg),
      ['w', 'e'],
    );
  });

  it("adds a child's fields, redacted", () => {
    const [line] = written('info', (logger) => logger.child({ plugin: 'p', token: 't' }).child({ x: 1 }).info({}, 'm'));
    assert.deepEqual([line?.['plugin'], line?.['token'], line?.['x']], ['p', '[redacted]', 1]);
  });

  it('writes to a descriptor and leaves it open', () => {
    using tmp = temporaryDirectory();
    const descriptor = openSync(join(tmp.path, 'log'), 'w');
    const logger = PinoLogger.open({ level: 'info', destination: { descriptor } });
    logger.info({}, 'm');
    logger[Symbol.dispose]();
    closeSync(descriptor);
    assert.match(readFileSync(join(tmp.path, 'log'), 'utf8'), /"msg":"m"/);
  });

  it('writes no secrets, wherever they lie', () => {
    const secrets = {
      password: 's3cret',
      dbPasswd: 's3cret',
      API_KEY: 's3cret',
      'x-api-key': 's3cret',
      authToken: 's3cret',
      Authorization: 's3cret',
      clientSecret: { value: 's3cret' },
      sessionKey: new Uint8Array([1]),
      deep: [{ credentials: ['s3cret'] }],
      url: 'https://user:s3cret@registry.example/v2/',
    };
    const line = JSON.stringify(fieldsOf(secrets));
    assert.ok(!line.includes('s3cret'), line);
    assert.ok(line.includes('https://[redacted]@registry.example/v2/'));
  });

  it('keeps what only sounds a little like a secret', () => {
    const { author, keyboard, tokens } = fieldsOf({ author: 'a', keyboard: 'b', monkey: 1, path: '/etc/passwd' });
    assert.deepEqual([author, keyboard, tokens], ['a', 'b', undefined]);
  });

  it('writes the names of an environment without its values', () => {
    const { env, spawn } = fieldsOf({
      env: ['A=1', 'B=x=y', 'C'],
      spawn: { environment: { D: '1' }, processEnv: 'x' },
    });
    assert.deepEqual(env, ['A=[redacted]', 'B=[redacted]', 'C=[redacted]']);
    assert.deepEqual(spawn, { environment: { D: '[redacted]' }, processEnv: '[redacted]' });
  });

  it('writes errors with code, hint, details and causes', () => {
    const cause = Object.assign(new Error('no entry'), { code: 'ENOENT' });
    const { err } = fieldsOf({
      err: new BoxError('NOT_FOUND', 'box "a"', { hint: 'h', details: { token: 't' }, cause }),
    });
    const { stack, cause: inner, ...rest } = err as Record<string, unknown>;
    assert.match(String(stack), /pino-logger\.test/);
    assert.deepEqual(rest, {
      name: 'BoxError',
      code: 'NOT_FOUND',
      message: 'box "a"',
      hint: 'h',
      details: { token: '[redacted]' },
    });
    assert.equal((inner as { code: string }).code, 'ENOENT');
  });

  it('takes whatever it is given', () => {
    const circle: Record<string, unknown> = { name: 'c' };
    circle['self'] = circle;
    let deep: object = {};
    for (let i = 0; i < 50; i += 1) deep = { deep };
    const line = fieldsOf({
      circle,
      deep,
      big: 2n ** 64n,
      bytes: Buffer.alloc(3),
      map: new Map([['a', 1]]),
      set: new Set([1]),
      date: new Date(0),
      bad: new Date(Number.NaN),
      fn: function named() {},
      none: null,
    });
    assert.deepEqual(line['circle'], { name: 'c', self: '[circular]' });
    assert.ok(JSON.stringify(line['deep']).includes('[too deep]'));
    assert.deepEqual(
      ['big', 'bytes', 'map', 'set', 'date', 'bad', 'fn', 'none'].map((key) => line[key]),
      [
        '18446744073709551616',
        '[3 bytes]',
        { a: 1 },
        [1],
        '1970-01-01T00:00:00.000Z',
        'invalid date',
        '[function named]',
        null,
      ],
    );
  });
});
