/** Docker's longer names of commands, by the object that they are about. */
const ALIASES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  container: {
    ...{ ls: 'ps', list: 'ps', ps: 'ps', remove: 'rm' },
    ...sameNames(
      ...['attach', 'commit', 'cp', 'create', 'diff', 'exec', 'export', 'inspect', 'kill', 'logs', 'pause', 'port'],
      ...['rename', 'restart', 'rm', 'run', 'start', 'stats', 'stop', 'top', 'unpause', 'update', 'wait'],
    ),
  },
  image: {
    ls: 'images',
    list: 'images',
    rm: 'rmi',
    remove: 'rmi',
    ...sameNames('history', 'import', 'load', 'pull', 'push', 'save', 'tag'),
  },
  system: { info: 'info', events: 'events' },
  volume: { list: 'volume ls', remove: 'volume rm' },
};

/** A command line with the command's own name in the place of an alias. */
export function wordsOf(argv: readonly string[]): readonly string[] {
  const [first = '', second = '', ...rest] = argv;
  const names = Object.hasOwn(ALIASES, first) ? ALIASES[first] : undefined;
  const name = names && Object.hasOwn(names, second) ? names[second] : undefined;
  return name === undefined ? argv : [...name.split(' '), ...rest];
}

function sameNames(...names: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(names.map((name) => [name, name]));
}
