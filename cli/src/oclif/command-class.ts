import { Command as OclifCommand, Flags as OclifFlags } from '@oclif/core';
import { BoxError } from '@a3s-box/core';
import type { Command } from '../command.js';
import type { Flag } from '../grammar/flag.js';

type OclifFlag = NonNullable<typeof OclifCommand.flags>[string];

/**
 * The oclif class of a command: what help, manifests and completion are made from. The CLI itself runs commands
 * without oclif, whose parser does not know Docker's grammar (docs/adr/0020).
 */
export function commandClass(command: Command): typeof OclifCommand {
  return class extends OclifCommand {
    static override readonly id = command.name;
    static override readonly summary = command.summary;
    static override readonly description = command.description?.join('\n\n');
    static override readonly usage = `${command.name} [OPTIONS]${command.synopsis && ` ${command.synopsis}`}`;
    static override readonly examples = [...(command.examples ?? [])];
    static override readonly strict = false;
    static override readonly flags = Object.fromEntries(
      Object.entries(command.flags).map(([name, flag]) => [name, oclifFlag(flag)]),
    );

    override run(): Promise<never> {
      throw new BoxError('INTERNAL', `command ${command.name} was run through oclif's parser`);
    }
  };
}

function oclifFlag({ char, summary, hidden = false, aliases = [], ...flag }: Flag): OclifFlag {
  const common = { summary, hidden, aliases: [...aliases], ...(char !== undefined && { char: char as 'a' }) };
  if (flag.kind === 'boolean') return OclifFlags.boolean(common);
  const absent = flag.absent === undefined ? '' : ` (default: ${flag.absent})`;
  const options = { ...common, summary: summary + absent, helpValue: flag.placeholder };
  return flag.kind === 'list' ? OclifFlags.string({ ...options, multiple: true }) : OclifFlags.string(options);
}
