import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestInputs, StampStore } from '../../scripts/setup/stamp.ts';

describe('set-up stamps', () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 's'));
    mkdirSync(join(root, 'src/deep'), { recursive: true });
    writeFileSync(join(root, 'src/deep/a.ts'), 'a');
    writeFileSync(join(root, 'one.json'), '1');
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const digest = (extra?: string): string => digestInputs(root, ['src', 'one.json'], extra);

  it('keep their digest while inputs stay', () => assert.equal(digest(), digest()));

  it('change with a content, a name, a new file and a removed one', () => {
    const seen = new Set([digest()]);
    writeFileSync(join(root, 'src/deep/a.ts'), 'b');
    seen.add(digest());
    writeFileSync(join(root, 'src/b.ts'), '');
    seen.add(digest());
    rmSync(join(root, 'src/deep/a.ts'));
    seen.add(digest());
    rmSync(join(root, 'one.json'));
    seen.add(digest());
    seen.add(digest('other compiler'));
    assert.equal(seen.size, 6);
  });

  it('do not change with what is made', () => {
    const before = digest();
    for (const made of ['node_modules', 'dist', 'target']) {
      mkdirSync(join(root, 'src', made));
      writeFileSync(join(root, 'src', made, 'x'), 'x');
    }
    assert.equal(digest(), before);
  });

  it('are current only with the same digest and while what was made exists', () => {
    const stamps = new StampStore(root);
    assert.equal(stamps.isCurrent('step', 'd1'), false);
    mkdirSync(join(root, 'dist'));
    stamps.set('step', 'd1', ['dist', 'never-made']);
    assert.equal(stamps.isCurrent('step', 'd1'), true);
    assert.equal(stamps.isCurrent('step', 'd2'), false);
    rmSync(join(root, 'dist'), { recursive: true });
    assert.equal(stamps.isCurrent('step', 'd1'), false);
  });

  it('that are damaged are not current', () => {
    const stamps = new StampStore(root);
    stamps.set('step', 'd1', []);
    writeFileSync(join(root, '.cache/setup/step.stamp'), '{"digest": "d1"');
    assert.equal(stamps.isCurrent('step', 'd1'), false);
  });
});
