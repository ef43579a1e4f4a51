import type { Command, Mount, Statement, Word } from './instruction.js';
import type { InstructionSource } from './instruction-source.js';
import type { Slice } from './logical-line.js';
import { Options, type OptionKind } from './read-options.js';
import { readCommand } from './read-command.js';
import { part } from './split-words.js';

type Kinds = Readonly<Record<string, OptionKind>>;

/** Options of each type of mount, beside `type`. A switch may stand without a value. */
const COMMON: Kinds = { target: 'value', dst: 'value', destination: 'value' };
const SOURCE: Kinds = { source: 'value', src: 'value', from: 'value' };
const ACCESS: Kinds = { rw: 'switch', readwrite: 'switch', ro: 'switch', readonly: 'switch' };
const OWNER: Kinds = { mode: 'value', uid: 'value', gid: 'value' };
const MOUNTS: Readonly<Record<Mount['type'], Kinds>> = {
  bind: { ...COMMON, ...SOURCE, ...ACCESS },
  cache: { ...COMMON, ...SOURCE, ...ACCESS, ...OWNER, id: 'value', sharing: 'value' },
  tmpfs: { ...COMMON, size: 'value' },
  secret: { ...COMMON, ...OWNER, id: 'value', source: 'value', src: 'value', env: 'value', required: 'switch' },
  ssh: { ...COMMON, ...OWNER, id: 'value', required: 'switch' },
};

/** Other names of the same option. */
const ALIASES: Readonly<Record<string, string>> = {
  dst: 'target',
  destination: 'target',
  src: 'source',
  ro: 'readonly',
  rw: 'readwrite',
};

/** @throws Fault */
export function readRun(source: InstructionSource): Statement {
  const options = new Options(source, { mount: 'values', network: 'value', security: 'value' });
  const security = options.one('security');
  if (security !== undefined && security.source !== 'sandbox') {
    source.fail(
      `RUN --security=${security.source} is not supported: steps run with the default rights`,
      security.place,
    );
  }
  if (source.arguments.text === '') source.fail('RUN needs a command');
  const script = scriptOf(source);
  return {
    kind: 'run',
    command: commandOf(source),
    ...(script !== undefined && { script }),
    mounts: options.text('mount').map((value) => readMount(source, value)),
    network: networkOf(source, options.one('network')),
  };
}

function commandOf(source: InstructionSource): Command {
  const command = readCommand(source.arguments);
  if (command.form === 'exec') {
    return command.words.length > 0 ? command : source.fail('RUN needs a command', source.arguments);
  }
  return source.documents.length === 0 ? command : { form: 'shell', line: `${command.line}\n${source.documentLines}` };
}

function scriptOf({ documents, arguments: { text } }: InstructionSource): string | undefined {
  return documents.length === 1 && /^<<-?\S+$/.test(text) ? documents[0]?.content : undefined;
}

function networkOf(source: InstructionSource, word: Word | undefined): 'default' | 'none' {
  const network = word?.source ?? 'default';
  if (network === 'default' || network === 'none') return network;
  return source.fail(`RUN --network is default or none, not ${network}`, word?.place);
}

/** @param text `type=TYPE,NAME=VALUE,...` */
function readMount(source: InstructionSource, text: Slice): Mount {
  const options = new Map<string, Word>();
  let type = 'bind';
  for (const { index, 0: option } of text.text.matchAll(/[^,]+/g)) {
    const [name = ''] = option.split('=', 1);
    const value = part(text, index + Math.min(name.length + 1, option.length), index + option.length);
    if (name === 'type') type = value.text;
    else options.set(name, source.word(option === name ? { ...value, text: 'true' } : value));
  }
  const known = Object.hasOwn(MOUNTS, type) ? MOUNTS[type as Mount['type']] : undefined;
  if (known === undefined) {
    return source.fail(`RUN --mount=type=${type} is not known; known are ${Object.keys(MOUNTS).join(', ')}`, text);
  }
  const named = new Map<string, Word>();
  for (const [name, value] of options) {
    if (!Object.hasOwn(known, name)) source.fail(`a mount of type ${type} has no option ${name}`, value.place);
    if (known[name] === 'value' && value.source === '') source.fail(`${name} needs a value`, value.place);
    named.set(ALIASES[name] ?? name, value);
  }
  const needsTarget = type === 'bind' || type === 'cache' || type === 'tmpfs';
  if (needsTarget && !named.has('target')) source.fail(`a mount of type ${type} needs a target`, text);
  return { type: type as Mount['type'], options: named };
}
