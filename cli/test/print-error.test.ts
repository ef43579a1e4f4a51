import assert from 'node:assert/strict';
import { BoxError } from '@a3s-box/core';
import { printError } from '../dist/print-error.js';

/** Cursor up, a title and an erased line, in the seven-bit and the eight-bit form, and what a line printer obeys. */
const HOSTILE = '\x1b[1A\x1b]0;mine\x07\x9b2K\r\b\0\x7f';
const ESCAPED = '\\u001b[1A\\u001b]0;mine\\u0007\\u009b2K\\u000d\\u0008\\u0000\\u007f';
const CONTROLS = /[^\P{Cc}\t\n]/u;

describe('errors', () => {
  const error = new BoxError('NOT_FOUND', `no image "${HOSTILE}"`, {
    hint: `ask\t${HOSTILE}\nor not`,
    details: { path: HOSTILE },
    cause: new RangeError(HOSTILE),
  });

  /** What is written to stderr meanwhile. */
  function printed(options: { json: boolean; debug: boolean }, thrown: BoxError = error): string {
    const { write } = process.stderr;
    let text = '';
    process.stderr.write = (piece: string | Uint8Array) => {
      text += String(piece);
      return true;
    };
    try {
      assert.equal(printError(thrown, options), 125);
    } finally {
      process.stderr.write = write;
    }
    return text;
  }

  it('show no control character but newline and tab', () => {
    assert.equal(
      printed({ json: false, debug: false }),
      `a3s-box: no image "${ESCAPED}"\na3s-box: hint: ask\t${ESCAPED}\nor not\n`,
    );
  });

  it('show none in JSON either, which says the same', () => {
    const text = printed({ json: true, debug: false });
    assert.doesNotMatch(text, CONTROLS);
    assert.deepEqual((JSON.parse(text) as { error: object }).error, {
      code: 'NOT_FOUND',
      message: error.message,
      hint: error.hint,
      details: { path: HOSTILE },
    });
  });

  it('show none with causes and stacks', () => {
    const text = printed({ json: false, debug: true });
    assert.doesNotMatch(text, CONTROLS);
    assert.match(text, /RangeError: \\u001b\[1A/);
  });

  it('leave letters of all scripts alone', () => {
    const plain = new BoxError('NOT_FOUND', 'größe 箱 🚢');
    assert.equal(printed({ json: false, debug: false }, plain), 'a3s-box: größe 箱 🚢\n');
  });
});
