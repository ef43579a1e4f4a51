import { BoxError } from '@a3s-box/core';
import type { Input } from '../command.js';
import { completedCommands, type CompletedCommand } from '../completion/completion-table.js';
import { fishScript } from '../completion/fish-script.js';
import { bashScript, zshScript } from '../completion/sh-script.js';
import type { Invocation } from '../invocation.js';

const SCRIPTS: ReadonlyMap<string, (commands: readonly CompletedCommand[]) => string> = new Map([
  ['bash', bashScript],
  ['zsh', zshScript],
  ['fish', fishScript],
]);

/** `completion`. Plugins' commands are not in it: they are oclif's. */
export function printCompletion({ args }: Input<Record<never, never>>, { commands }: Invocation): Promise<number> {
  const [shell = ''] = args;
  const script = SCRIPTS.get(shell);
  if (!script) {
    throw new BoxError('INVALID_ARGUMENT', `there is no completion for the shell "${shell}"`, {
      hint: `there is for ${[...SCRIPTS.keys()].join(', ')}`,
    });
  }
  process.stdout.write(script(completedCommands(commands)));
  return Promise.resolve(0);
}
