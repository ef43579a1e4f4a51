import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listLogFiles, rotationSteps } from '../../dist/logs/log-files.js';

describe('rotation of log files', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'log'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const nameOf = (age: number) => (age === 0 ? 'box.log' : `box.log.${age}`);
  const contents = () => listLogFiles(directory).map(({ name }) => readFileSync(join(directory, name), 'utf8'));

  /** Rotates to the new content, as far as a crash lets it. */
  function rotate(content: string, { maxFiles, stepsDone }: { maxFiles: number; stepsDone: number }): number {
    writeFileSync(join(directory, 'box.log.next'), content);
    const ages = [0, 1, 2, 3, 4, 5].filter((age) => readdirSync(directory).includes(nameOf(age)));
    const steps = rotationSteps(ages, maxFiles);
    for (const step of steps.slice(0, stepsDone)) {
      if ('remove' in step) unlinkSync(join(directory, step.remove));
      else renameSync(join(directory, step.from), join(directory, step.to));
    }
    return steps.length;
  }

  it('lists the oldest first, and nothing else that lies there', () => {
    for (const name of ['box.log.10', 'box.log', 'box.log.2', 'box.log.next', 'box.log.02', 'other']) {
      writeFileSync(join(directory, name), name);
    }
    assert.deepEqual(
      listLogFiles(directory).map(({ name }) => name),
      ['box.log.10', 'box.log.2', 'box.log'],
    );
    assert.deepEqual(listLogFiles(join(directory, 'none')), []);
  });

  for (const [files, maxFiles] of [
    [1, 1],
    [1, 3],
    [2, 3],
    [3, 3],
    [5, 3],
    [5, 1],
  ] as const) {
    it(`loses nothing that is to be kept, wherever it stops (${files} files, at most ${maxFiles})`, () => {
      const all = Array.from({ length: files }, (_, index) => String.fromCharCode(97 + index));
      const kept = [...all, 'new'].slice(-maxFiles);
      for (let stepsDone = 0, steps = Infinity; stepsDone < steps; stepsDone++) {
        for (const name of readdirSync(directory)) unlinkSync(join(directory, name));
        all.forEach((content, index) => writeFileSync(join(directory, nameOf(files - 1 - index)), content));
        steps = rotate('new', { maxFiles, stepsDone });
        const afterCrash = contents();
        const mustBe = kept.filter((content) => content !== 'new');
        assert.deepEqual(afterCrash.slice(-mustBe.length || Infinity), mustBe, `after ${stepsDone} of ${steps} steps`);
        if (!readdirSync(directory).includes('box.log')) writeFileSync(join(directory, 'box.log'), 'new');
        rotate('newest', { maxFiles, stepsDone: Infinity });
        assert.deepEqual(
          contents(),
          [
            ...afterCrash,
            ...(contents().includes('new') && !afterCrash.includes('new') ? ['new'] : []),
            'newest',
          ].slice(-maxFiles),
        );
      }
    });
  }
});
