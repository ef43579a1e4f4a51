/** What shells have to know of the commands, as data. */
import type { Command } from '../command.js';
import type { Flag } from '../grammar/flag.js';

/** What a word stands for. */
export type Subject = 'boxes' | 'images' | 'files' | 'none';

export interface CompletedFlag {
  /** `-f`, `--force`. */
  readonly spellings: readonly string[];
  readonly summary: string;
  /** Absent where it takes no value. */
  readonly value?: Subject;
}

export interface CompletedCommand {
  /** `image inspect` has two words. */
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly CompletedFlag[];
  readonly first: Subject;
  /** Of the arguments after the first. */
  readonly others: Subject;
  /** Words that the first argument is one of. */
  readonly choices: readonly string[];
  /** Whether options may stand after the first argument. */
  readonly interspersed: boolean;
}

const HELP: CompletedFlag = { spellings: ['--help'], summary: 'show help' };

export function completedCommands(commands: readonly Command[]): CompletedCommand[] {
  return commands.map(({ name, summary, synopsis, flags, interspersed }) => {
    const [first = '', second = ''] = synopsis.replaceAll(/[[\]]/g, '').split(' ');
    const choices = /^[a-z|]+$/.test(first) ? first.split('|') : [];
    const own = Object.entries(flags)
      .filter(([, { hidden }]) => !hidden)
      .map(([flag, definition]) => completedFlag(flag, definition));
    const others = subjectOf(second.replace('...', ''));
    return { name, summary, flags: [...own, HELP], first: subjectOf(first), others, choices, interspersed };
  });
}

function completedFlag(name: string, flag: Flag): CompletedFlag {
  const { char, aliases = [], summary } = flag;
  const long = [name, ...aliases].map((one) => `--${one}`);
  const spellings = char === undefined ? long : [`-${char}`, ...long];
  if (flag.kind === 'boolean') return { spellings, summary };
  return { spellings, summary, value: /^(FILE|PATH|DIRECTORY)$/.test(flag.placeholder) ? 'files' : 'none' };
}

function subjectOf(word: string): Subject {
  if (word === 'BOX') return 'boxes';
  if (word === 'IMAGE') return 'images';
  return /^(FILE|COMMAND|ARG)/.test(word) ? 'files' : 'none';
}

/** What prints the names that a word may be, one a line. */
export const LISTINGS: Readonly<Record<'boxes' | 'images', string>> = {
  boxes: "a3s-box ps -a --format '{{.Names}}' 2>/dev/null",
  images: "a3s-box images --format '{{.Repository}}:{{.Tag}}' 2>/dev/null | grep -v '<none>'",
};
