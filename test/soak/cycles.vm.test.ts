/** In small what `npm run soak` does in full. */
import assert from 'node:assert/strict';
import { needs } from '../support/skip.ts';
import { runCycles } from './cycles.ts';
import { SoakHome } from './soak-home.ts';

describe('lives of boxes with faults', () => {
  it('leave nothing and lose nothing: a full disk in a start, killed VMMs and a killed command', async function () {
    needs(this, process.getuid?.() === 0, 'root');
    this.timeout(240_000);
    await using home = await SoakHome.create();
    const told: string[] = [];
    const options = {
      seed: 7,
      first: 9,
      goesOn: (done: number) => done < 2,
      say: (line: string) => void told.push(line),
    };
    const figures = await runCycles(home, options);
    assert.deepEqual([figures.cycles, figures.images, figures.deepChecks], [2, 2, 1], told.join('\n'));
    assert.ok(Object.keys(figures.faults).length >= 2, told.join('\n'));
  });
});
