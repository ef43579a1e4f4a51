import assert from 'node:assert/strict';
import { Metadata } from '@grpc/grpc-js';
import fc from 'fast-check';
import { BoxError, ERROR_TABLE, exitStatusOf, type ErrorCode } from '@a3s-box/core';
import { CODE_TRAILER, ERROR_TRAILER, fromServiceError, toServiceError } from '../../dist/errors/grpc.js';
import { anyText } from '../../../test/support/any-text.ts';

const CODES = Object.keys(ERROR_TABLE) as ErrorCode[];

describe('errors over gRPC', () => {
  for (const code of CODES) {
    it(`carries ${code} to the other side and back`, () => {
      const sent = new BoxError(code, 'box "a": it failed', { hint: 'try again', details: { box: 'a', bytes: 3 } });
      const status = toServiceError(sent, new Metadata());
      assert.equal(status.code, ERROR_TABLE[code].grpc);
      const received = fromServiceError(status);
      assert.equal(received.code, code);
      assert.equal(received.message, sent.message);
      assert.equal(received.hint, sent.hint);
      assert.deepEqual(received.details, sent.details);
      assert.equal(exitStatusOf(received), ERROR_TABLE[code].exitStatus);
    });
  }

  it('keeps every hint and every JSON detail that fits', () => {
    fc.assert(
      fc.property(
        anyText(200),
        fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 }),
        (hint, details) => {
          const plain = JSON.parse(JSON.stringify(details)) as Record<string, unknown>;
          fc.pre(JSON.stringify(plain).length < 4000);
          const status = toServiceError(new BoxError('CONFLICT', 'x', { hint, details: plain }), new Metadata());
          const received = fromServiceError(status);
          assert.equal(received.hint, hint.toWellFormed());
          assert.deepEqual(JSON.stringify(received.details), JSON.stringify(plain));
        },
      ),
    );
  });

  it('cuts long details to their ends and says so', () => {
    const stderr = `${'x'.repeat(20_000)}the last words`;
    const status = toServiceError(new BoxError('VM_START_FAILED', 'm', { details: { stderr } }), new Metadata());
    const { details } = fromServiceError(status);
    assert.equal(details?.['detailsTruncated'], true);
    assert.match(String(details?.['stderr']), /^\.\.\.x{900,}the last words$/);
  });

  it('leaves out details that are too many, and cuts a long message', () => {
    const details = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`key${i}`, i]));
    const status = toServiceError(
      new BoxError('INTERNAL', 'm'.repeat(100_000), { hint: 'h', details }),
      new Metadata(),
    );
    assert.ok(status.details.length < 2000);
    const received = fromServiceError(status);
    assert.deepEqual(received.details, { detailsTruncated: true });
    assert.equal(received.hint, 'h');
  });

  it('sends big integers as decimal text', () => {
    const status = toServiceError(
      new BoxError('LIMIT_EXCEEDED', 'm', { details: { bytes: 2n ** 60n } }),
      new Metadata(),
    );
    assert.deepEqual(fromServiceError(status).details, { bytes: '1152921504606846976' });
  });

  it('names the code of a peer without our trailers by its gRPC status', () => {
    const plain = (code: number) => fromServiceError({ code, details: 'd' }).code;
    assert.deepEqual([1, 3, 4, 5, 6, 7, 9, 12, 13, 14, 2, undefined as never].map(plain), [
      ...['CANCELLED', 'INVALID_ARGUMENT', 'TIMEOUT', 'NOT_FOUND', 'ALREADY_EXISTS', 'PERMISSION_DENIED', 'CONFLICT'],
      ...['UNSUPPORTED', 'INTERNAL', 'AGENT_UNREACHABLE', 'INTERNAL', 'INTERNAL'],
    ]);
    const options = { unavailable: 'SUPERVISOR_UNREACHABLE' } as const;
    assert.equal(fromServiceError({ code: 14 }, options).code, 'SUPERVISOR_UNREACHABLE');
    assert.equal(fromServiceError({ code: 5 }, options).code, 'NOT_FOUND');
    assert.equal(fromServiceError({ code: 14, details: 'd' }).message, 'the guest went away: d');
    assert.equal(fromServiceError({ code: 14, details: 'd' }, options).message, 'd');
  });

  it('keeps the code of a newer peer in the details', () => {
    const metadata = new Metadata();
    metadata.set(CODE_TRAILER, 'FROM_THE_FUTURE');
    const error = fromServiceError({ code: 5, details: 'm', metadata });
    assert.equal(error.code, 'NOT_FOUND');
    assert.deepEqual(error.details, { remoteCode: 'FROM_THE_FUTURE' });
  });

  it('is not led astray by codes that name properties of objects', () => {
    for (const name of ['constructor', '__proto__', 'toString']) {
      const metadata = new Metadata();
      metadata.set(CODE_TRAILER, name);
      assert.equal(fromServiceError({ code: 13, metadata }).code, 'INTERNAL');
    }
  });

  for (const text of ['', 'no json', '[]', '3', '{"hint":1}', '{"details":[]}', '{"details":"x"}']) {
    it(`says that a trailer of ${JSON.stringify(text)} is malformed`, () => {
      const metadata = new Metadata();
      metadata.set(ERROR_TRAILER, Buffer.from(text));
      const error = fromServiceError({ code: 5, details: 'm', metadata });
      assert.deepEqual(error.details, { malformedTrailer: true });
      assert.equal(error.code, 'NOT_FOUND');
    });
  }

  it('turns what is no BoxError into one at the edge', () => {
    const status = toServiceError(new TypeError('x is not a function'), new Metadata());
    assert.equal(status.code, ERROR_TABLE.INTERNAL.grpc);
    assert.equal(fromServiceError(status).message, 'x is not a function');
  });
});
