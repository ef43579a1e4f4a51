/**
 * Part of the set-up for the tests: makes what the KVM host starts from, so that the tests' time is not spent on it.
 *   node prepare.ts base | snapshot      the snapshot needs the checkout built
 * Ends with 1 after a line that says why where it cannot be made.
 */
import { join } from 'node:path';
import { baseImage } from './base-image.ts';
import { hostObstacle } from './obstacle.ts';

const root = join(import.meta.dirname, '../..');
const say = (line: string): void => console.log(line);

async function prepare(what: string | undefined): Promise<void> {
  const obstacle = hostObstacle();
  if (obstacle !== undefined) throw new Error(obstacle);
  if (what === 'base') await baseImage(join(root, '.cache/kvm-host'), say);
  else await (await import('./snapshot.ts')).hostSnapshot(root, say);
}

await prepare(process.argv[2]).catch((error: Error) => {
  console.error(`kvm-host: ${error.message}`);
  process.exitCode = 1;
});
