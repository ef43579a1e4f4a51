/** Docker's longer names of commands. */
const LISTS: Readonly<Record<string, string>> = {
  'container ls': 'ps',
  'container list': 'ps',
  'container ps': 'ps',
  'system info': 'info',
};
/** `container NAME` is NAME. */
const OF_CONTAINERS = [
  ...[
    'attach',
    'create',
    'exec',
    'inspect',
    'kill',
    'logs',
    'pause',
    'port',
    'rename',
    'restart',
    'rm',
    'run',
    'start',
  ],
  ...['stop', 'top', 'unpause', 'update', 'wait'],
];

/** A command line with the command's own name in the place of an alias. */
export function wordsOf(argv: readonly string[]): readonly string[] {
  const [first = '', second = '', ...rest] = argv;
  const name = `${first} ${second}`;
  if (Object.hasOwn(LISTS, name)) return [LISTS[name] as string, ...rest];
  return first === 'container' && OF_CONTAINERS.includes(second) ? [second, ...rest] : argv;
}
