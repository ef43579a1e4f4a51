/** Checks command lines against the CLI's own table of commands and its own parser. */
import { COMMANDS } from '../../cli/dist/commands.js';
import { parseFlags } from '../../cli/dist/grammar/parse-flags.js';

/** Also known to the CLI, without being in its table. */
const GLOBAL = new Set(['--version', '--help', '-h', 'help', '']);
/** Stands for what a reader fills in. */
const isPlaceholder = (word: string): boolean => /^(\[.*|<.*|\.\.\.|…|[A-Z][A-Z0-9_-]*(\.\.\.)?)$/.test(word);

/** @returns what the CLI would reject, or undefined */
export function rejection(argv: readonly string[]): string | undefined {
  const [first = ''] = argv;
  if (GLOBAL.has(first) || isPlaceholder(first)) return undefined;
  const command = longestMatch(argv);
  if (command === undefined) return `no command ${first}`;
  const rest = argv.slice(command.name.split(' ').length);
  // A synopsis: flags are not spelled out.
  if (rest.some((word) => word.startsWith('['))) return undefined;
  // The command alone, spoken of in running text.
  if (rest.length === 0) return undefined;
  try {
    const { args, help } = parseFlags(command, rest);
    if (help) return undefined;
    if (args.length < command.minArgs) return `${command.name} needs ${command.synopsis}`;
    return args.length > command.maxArgs ? `${command.name} takes no ${args[command.maxArgs]}` : undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function longestMatch(argv: readonly string[]): (typeof COMMANDS)[number] | undefined {
  const fitting = COMMANDS.filter(({ name }) => {
    const words = name.split(' ');
    return words.every((word, index) => argv[index] === word);
  });
  return fitting.sort((a, b) => b.name.length - a.name.length)[0];
}
