import assert from 'node:assert/strict';
import { DetachKeys } from '../../dist/actions/detach-keys.js';
import { pruneFilterOf } from '../../dist/actions/prune.js';
import { wordsOf } from '../../dist/command-aliases.js';
import { parseDetachKeys } from '../../dist/grammar/detach-keys.js';
import { parseRestartPolicy } from '../../dist/grammar/restart-policy.js';

describe('restart policies of the command line', () => {
  it("are Docker's", () => {
    assert.equal(parseRestartPolicy('no'), 'no');
    assert.deepEqual(parseRestartPolicy('on-failure'), { name: 'on-failure' });
    assert.deepEqual(parseRestartPolicy('on-failure:3'), { name: 'on-failure', maximumRetries: 3 });
    assert.deepEqual(parseRestartPolicy('unless-stopped'), { name: 'unless-stopped' });
    for (const wrong of ['sometimes', 'always:3', 'on-failure:x', 'on-failure:1:2'])
      assert.throws(() => parseRestartPolicy(wrong), { code: 'INVALID_ARGUMENT' }, wrong);
  });
});

describe('detach keys', () => {
  async function typed(keys: string, ...pieces: string[]): Promise<[string, boolean]> {
    const stream = new DetachKeys(parseDetachKeys(keys));
    let left = false;
    void stream.typed.then(() => (left = true));
    for (const piece of pieces) stream.write(Buffer.from(piece));
    stream.end();
    const passed = Buffer.concat(await stream.toArray()).toString();
    return [passed, left];
  }

  it('are letters, and letters with Ctrl', () => {
    assert.deepEqual([...parseDetachKeys('ctrl-p,ctrl-Q,x')], [0x10, 0x11, 0x78]);
    assert.deepEqual([...parseDetachKeys('ctrl-@,ctrl-[,ctrl-_')], [0, 0x1b, 0x1f]);
    assert.equal(parseDetachKeys('').length, 0);
    for (const wrong of ['ctrl-', 'ctrl-1', 'ab', 'a,']) assert.throws(() => parseDetachKeys(wrong), /unknown key/);
  });

  it('leave once they are typed one after the other, and are passed on otherwise', async () => {
    assert.deepEqual(await typed('ctrl-p,ctrl-q', 'ab\x10', '\x11'), ['ab', true]);
    assert.deepEqual(await typed('ctrl-p,ctrl-q', 'a\x10', 'b\x10\x10\x11c'), ['a\x10b\x10', true]);
    assert.deepEqual(await typed('ctrl-p,ctrl-q', 'a\x10'), ['a\x10', false]);
    assert.deepEqual(await typed('', 'a\x10\x11'), ['a\x10\x11', false]);
  });
});

describe('filters of prune', () => {
  it('are a time and labels', () => {
    assert.deepEqual(pruneFilterOf(['until=10', 'label=a=b=c', 'label!=d']), {
      untilNs: 10_000_000_000n,
      labels: [
        { name: 'a', value: 'b=c', negated: false },
        { name: 'd', value: undefined, negated: true },
      ],
    });
    for (const wrong of ['name=a', 'label', 'until=', 'until=x'])
      assert.throws(() => pruneFilterOf([wrong]), { code: 'INVALID_ARGUMENT' }, wrong);
  });
});

describe("Docker's longer names", () => {
  it('stand for the short ones', () => {
    assert.deepEqual(wordsOf(['container', 'ls', '-a']), ['ps', '-a']);
    assert.deepEqual(wordsOf(['container', 'start', 'web']), ['start', 'web']);
    assert.deepEqual(wordsOf(['container', 'cp', 'a:/b', 'c']), ['cp', 'a:/b', 'c']);
    assert.deepEqual(wordsOf(['image', 'rm', 'a']), ['rmi', 'a']);
    assert.deepEqual(wordsOf(['image', 'inspect', 'a']), ['image', 'inspect', 'a']);
    assert.deepEqual(wordsOf(['volume', 'remove', 'v']), ['volume', 'rm', 'v']);
    assert.deepEqual(wordsOf(['container', 'constructor']), ['container', 'constructor']);
    assert.deepEqual(wordsOf(['container', 'prune', '-f']), ['container', 'prune', '-f']);
    assert.deepEqual(wordsOf(['run', 'container', 'ls']), ['run', 'container', 'ls']);
  });
});
