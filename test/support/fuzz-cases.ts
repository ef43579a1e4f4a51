/** Runs what fuzz targets have found, and their seeds, as ordinary tests. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import type { FuzzModule } from '../../scripts/fuzz/node-target.ts';

/** Declares the tests of the targets in a directory. @param directory a package's `fuzz` */
export function fuzzCaseSuite(directory: string, targets: Readonly<Record<string, FuzzModule>>): void {
  it('has a suite for every target', () => {
    const files = readdirSync(directory).filter((file) => file.endsWith('.ts'));
    assert.deepEqual(files.map((file) => file.replace(/\.ts$/, '')).sort(), Object.keys(targets).sort());
  });
  for (const [name, target] of Object.entries(targets)) {
    describe(`the fuzz target ${name}`, () => {
      it('takes its seeds', async () => {
        let count = 0;
        for (const [seed, input] of target.seeds()) {
          await Promise.resolve(target.fuzz(input)).catch((cause: unknown) => assert.fail(`${seed}: ${String(cause)}`));
          count++;
        }
        assert.ok(count > 0);
      });
      for (const [file, input] of casesOf(join(directory, 'cases', name))) {
        it(`takes what was found once: ${file}`, async () => {
          await target.fuzz(input);
        });
      }
    });
  }
}

function casesOf(directory: string): (readonly [string, Buffer])[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory).map((file) => [file, readFileSync(join(directory, file))] as const);
}
