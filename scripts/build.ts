/** Builds everything whose sources changed: TypeScript, native, guest-init, bundles. `npm run build`. */
import { join } from 'node:path';
import { StepFailed, StepRunner } from './setup/step-runner.ts';
import { buildSteps, guestSteps } from './setup/steps.ts';

const root = join(import.meta.dirname, '..');
const runner = new StepRunner({ root, started: Date.now(), print: (line) => console.log(line) });

try {
  await runner.runChains(buildSteps(root), guestSteps(root));
  runner.say('build: up to date');
} catch (error) {
  if (!(error instanceof StepFailed)) throw error;
  process.exitCode = 1;
}
