/**
 * Says what a system without apt-get needs and what set-up does not do there: `node scripts/setup/check-system.ts`. Ends with
 * 1 when something is missing, and with 0 elsewhere. Runs on any Node.js that strips types, before anything is installed.
 */
import { spawnSync } from 'node:child_process';
import { describeSetup, hasFile, missingRequirements, systemSetup, type Questions } from './other-systems.ts';

const questions: Questions = {
  command: (name) => {
    const [program, args] = process.platform === 'win32' ? ['where.exe', [name]] : ['/usr/bin/which', [name]];
    return spawnSync(program as string, args as string[]).status === 0;
  },
  file: hasFile,
  output: (program, args) => {
    const { status, stdout } = spawnSync(program, args, { encoding: 'utf8' });
    return status === 0 ? stdout : undefined;
  },
};

const setup = systemSetup(`${process.platform}-${process.arch}`);
if (setup !== undefined) {
  const missing = missingRequirements(setup, questions);
  for (const line of describeSetup(setup, missing)) console.log(line);
  process.exitCode = missing.length === 0 ? 0 : 1;
} else if (process.platform !== 'linux') {
  console.error(`set-up: A3S Box does not run on ${process.platform}-${process.arch}`);
  process.exitCode = 1;
}
