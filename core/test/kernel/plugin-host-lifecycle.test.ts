import assert from 'node:assert/strict';
import { isBoxError } from '@a3s-box/core';
import { plain, sun, takeTrace, tracing, withPlugins } from './plugin-host-support.ts';
import { distributionOf, temporaryDirectory, writePlugin } from './support.ts';

describe('the plugin host', () => {
  it('does not start without a plugin that the distribution requires, and tells all faults', async () => {
    takeTrace();
    using tmp = temporaryDirectory();
    const good = writePlugin(tmp.path, { name: 'good', activate: tracing('good') });
    const bad = writePlugin(tmp.path, { name: 'bad', activate: 'throw new Error("no")' });
    const plugins = [
      { kind: 'directory', path: good, required: false },
      { kind: 'directory', path: bad, required: true },
      { kind: 'package', name: 'absent', required: true },
    ] as const;
    const start = withPlugins([], () => assert.fail('started'), { distribution: { ...distributionOf([]), plugins } });
    await assert.rejects(start, (error) => {
      assert.ok(isBoxError(error));
      assert.equal(error.code, 'PLUGIN_FAILED');
      assert.match(
        error.message,
        /required plugins are not active: plugin "bad": activation failed: no; plugin "absent": no such package is installed/,
      );
      assert.equal((error.details?.['faults'] as unknown[]).length, 2);
      return true;
    });
    assert.deepEqual(takeTrace(), ['+good', '-good']);
  });

  it('does not start when a required plugin skips itself', async () => {
    using tmp = temporaryDirectory();
    const activate = `throw Object.assign(new Error(), { reason: 'no TPM', [Symbol.for('a3s-box.skip-plugin.v1')]: true })`;
    const path = writePlugin(tmp.path, { name: 'a', activate });
    const distribution = { ...distributionOf([]), plugins: [{ kind: 'directory', path, required: true } as const] };
    await assert.rejects(
      withPlugins([], () => assert.fail('started'), { distribution }),
      /plugin "a" was skipped: no TPM/,
    );
  });

  it('can be called off while it starts, and takes down what was up', async () => {
    takeTrace();
    const controller = new AbortController();
    (globalThis as { stop?: () => void }).stop = () => controller.abort();
    const start = withPlugins(
      [
        { name: 'a', provides: [sun], activate: tracing('a') },
        { name: 'b', requires: [sun], activate: 'globalThis.stop(); await new Promise(() => {});' },
      ],
      () => assert.fail('started'),
      { signal: controller.signal },
    );
    await assert.rejects(start, { code: 'CANCELLED' });
    assert.deepEqual(takeTrace(), ['+a', '-a']);
  });

  it('goes on when a plugin fails or hangs while it is disposed of, and logs it', async () => {
    takeTrace();
    const logger = await withPlugins(
      [
        { name: 'first', provides: [sun], activate: tracing('first') },
        {
          name: 'throws',
          provides: [plain],
          requires: [sun],
          activate: 'return { services, dispose: async () => { throw new Error("stuck"); } };',
        },
        { name: 'hangs', requires: [plain], activate: 'return { services, dispose: () => new Promise(() => {}) };' },
      ],
      () => undefined,
      { disposalLimitMs: 30 },
    );
    assert.deepEqual(takeTrace(), ['+first', '-first']);
    const errors = logger.lines.filter(({ level }) => level === 'error');
    assert.deepEqual(
      errors.map(({ fields }) => fields['plugin']),
      ['hangs', 'throws'],
    );
  });
});
