import assert from 'node:assert/strict';
import { asBoxError, BoxError, ERROR_TABLE, exitStatusOf, isBoxError, type ErrorCode } from '@a3s-box/core';

describe('asBoxError', () => {
  it('returns an error of ours as it is', () => {
    const error = new BoxError('CONFLICT', 'm');
    assert.equal(asBoxError(error), error);
  });

  it('knows an error of another copy of the package by its brand', () => {
    const foreign = Object.assign(new Error('m'), { code: 'CONFLICT', [Symbol.for('a3s-box.error.v1')]: true });
    assert.ok(isBoxError(foreign));
    assert.equal(asBoxError(foreign).code, 'CONFLICT');
  });

  it('does not pass on a code that this version does not know', () => {
    const foreign = Object.assign(new Error('m'), { code: 'FUTURE', [Symbol.for('a3s-box.error.v1')]: true });
    assert.equal(asBoxError(foreign).code, 'INTERNAL');
    assert.equal(exitStatusOf(foreign), 125);
  });

  it('tells a cancelled operation from one that took too long', async () => {
    assert.equal(asBoxError(AbortSignal.abort().reason).code, 'CANCELLED');
    const signal = AbortSignal.timeout(1);
    await new Promise((resolve) => {
      const keepAlive = setTimeout(resolve, 5000);
      signal.addEventListener('abort', () => {
        clearTimeout(keepAlive);
        resolve(undefined);
      });
    });
    assert.equal(asBoxError(signal.reason).code, 'TIMEOUT');
  });

  it('keeps the meaning of system failures', () => {
    const codes = ['EACCES', 'EPERM', 'ENOSPC', 'EDQUOT', 'ENOENT'].map(
      (code) => asBoxError(Object.assign(new Error(code), { code })).code,
    );
    assert.deepEqual(codes, ['PERMISSION_DENIED', 'PERMISSION_DENIED', 'DISK_FULL', 'DISK_FULL', 'INTERNAL']);
  });

  it('tells what went wrong first where clearing up failed as well', () => {
    const first = new BoxError('DISK_FULL', 'no room');
    assert.equal(asBoxError(new SuppressedError(new Error('later'), first)), first);
  });

  it('keeps what was thrown as the cause', () => {
    const thrown = new RangeError('m');
    assert.equal(asBoxError(thrown).cause, thrown);
    assert.equal(asBoxError('text').cause, 'text');
    assert.match(asBoxError('text').message, /text/);
  });
});

describe('exit statuses', () => {
  for (const code of Object.keys(ERROR_TABLE) as ErrorCode[]) {
    it(`ends with the table's status for ${code}`, () => {
      const error = new BoxError(code, 'm');
      assert.equal(exitStatusOf(error), ERROR_TABLE[code].exitStatus);
      assert.equal(error.exitStatus, ERROR_TABLE[code].exitStatus);
    });
  }

  it('keeps to Docker: 124 timeout, 125 ours, 126 cannot execute, 127 not found', () => {
    const other = new Map(
      Object.entries(ERROR_TABLE).flatMap(([code, { exitStatus }]) => (exitStatus === 125 ? [] : [[code, exitStatus]])),
    );
    assert.deepEqual(Object.fromEntries(other), { TIMEOUT: 124, COMMAND_NOT_EXECUTABLE: 126, COMMAND_NOT_FOUND: 127 });
    assert.equal(exitStatusOf(new Error('m')), 125);
  });
});
