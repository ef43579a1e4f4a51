/** The second half of scripts/setup.sh, which holds the lock and has put the checkout's Node.js first in PATH. */
import { join } from 'node:path';
import { StepFailed, StepRunner } from './setup/step-runner.ts';
import { buildSteps, dependencyStep, guestSteps, kvmHostSteps, shareServerSteps } from './setup/steps.ts';

const root = join(import.meta.dirname, '..');
const startedSeconds = Number(process.env['A3S_BOX_SETUP_STARTED']);
const started = startedSeconds > 0 ? startedSeconds * 1000 : Date.now();
const runner = new StepRunner({ root, started, print: (line) => console.log(line) });

try {
  // Cargo has much to compile: it begins while npm is still fetching.
  const forTests = process.argv.includes('--tests');
  const [base, snapshot] = forTests ? kvmHostSteps() : [];
  const compiled = [...guestSteps(root), ...(forTests ? shareServerSteps(root) : [])];
  let ran = await runner.runChains([dependencyStep(root), ...buildSteps(root)], compiled, base ? [base] : []);
  // It would try the base again.
  if (snapshot && runner.leftOut.size === 0) ran = (await runner.run(snapshot)) || ran;
  const without = [...runner.leftOut].join(', ');
  runner.say(!ran ? 'set-up: nothing to do' : `set-up: done${without === '' ? '' : `, but for ${without}`}`);
} catch (error) {
  if (!(error instanceof StepFailed)) throw error;
  process.exitCode = 1;
}
