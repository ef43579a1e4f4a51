import type { Statement, Word } from './instruction.js';
import type { InstructionSource } from './instruction-source.js';
import { readCommand, readList } from './read-command.js';
import { readHealthCheck } from './read-health-check.js';
import { readArguments, readKeyValues } from './read-key-values.js';
import { Options } from './read-options.js';
import { readRun } from './read-run.js';
import { readAdd, readCopy } from './read-transfer.js';

type Reader = (source: InstructionSource) => Statement;

const READERS: Readonly<Record<string, Reader>> = {
  FROM: readFrom,
  RUN: readRun,
  COPY: readCopy,
  ADD: readAdd,
  HEALTHCHECK: readHealthCheck,
  ARG: plain((source) => ({ kind: 'arg', names: readArguments(source) })),
  ENV: plain((source) => ({ kind: 'env', pairs: readKeyValues(source) })),
  LABEL: plain((source) => ({ kind: 'label', pairs: readKeyValues(source) })),
  WORKDIR: plain((source) => ({ kind: 'workdir', value: whole(source, 'a directory') })),
  USER: plain((source) => ({ kind: 'user', value: whole(source, 'a user') })),
  STOPSIGNAL: plain((source) => ({ kind: 'stopsignal', value: whole(source, 'a signal') })),
  CMD: plain((source) => ({ kind: 'cmd', command: readCommand(source.arguments) })),
  ENTRYPOINT: plain((source) => ({ kind: 'entrypoint', command: readCommand(source.arguments) })),
  SHELL: plain(readShell),
  EXPOSE: plain((source) => ({ kind: 'expose', values: some(source, 'a port') })),
  VOLUME: plain(readVolume),
  ONBUILD: plain(readOnBuild),
  MAINTAINER: plain((source) => ({ kind: 'maintainer', name: whole(source, 'a name').source })),
};

const NOT_IN_TRIGGERS = new Set(['FROM', 'ONBUILD', 'MAINTAINER']);

/** What an instruction says. @throws Fault */
export function readStatement(source: InstructionSource): Statement {
  const reader = READERS[source.keyword];
  if (reader === undefined) {
    source.fail(`there is no instruction ${source.keyword}; there are ${Object.keys(READERS).join(', ')}`);
  }
  return reader(source);
}

/** Of an instruction without options. */
function plain(read: Reader): Reader {
  return (source) => {
    new Options(source, {});
    return read(source);
  };
}

function readFrom(source: InstructionSource): Statement {
  const platform = new Options(source, { platform: 'value' }).one('platform');
  const [image, as, name, ...more] = source.blankSeparated;
  if (image === undefined) return source.fail('FROM needs an image, a stage or scratch');
  const from = { kind: 'from' as const, image: source.word(image), ...(platform && { platform }) };
  if (as === undefined) return from;
  if (as.text.toUpperCase() !== 'AS' || name === undefined || more.length > 0) {
    return source.fail('FROM is followed by an image and perhaps AS and a name', as);
  }
  if (!/^[a-z][a-z0-9_.-]*$/i.test(name.text)) {
    source.fail(`${name.text} is no name of a stage: a letter, then letters, digits, "_", "-" and "."`, name);
  }
  return { ...from, name: name.text.toLowerCase() };
}

function whole(source: InstructionSource, what: string): Word {
  if (source.arguments.text === '') source.fail(`${source.keyword} needs ${what}`);
  return source.word(source.arguments);
}

function some(source: InstructionSource, what: string): Word[] {
  const words = source.blankSeparated;
  if (words.length === 0) source.fail(`${source.keyword} needs ${what}`);
  return words.map((word) => source.word(word));
}

function readShell(source: InstructionSource): Statement {
  const words = readList(source.arguments);
  if (words === undefined || words.length === 0) {
    return source.fail('SHELL needs a JSON list: SHELL ["/bin/sh", "-c"]', source.arguments);
  }
  return { kind: 'shell', words };
}

function readVolume(source: InstructionSource): Statement {
  const list = readList(source.arguments);
  if (list === undefined) return { kind: 'volume', values: some(source, 'a directory') };
  if (list.length === 0) source.fail('VOLUME needs a directory', source.arguments);
  return { kind: 'volume', values: list.map((text) => source.word({ text, at: source.arguments.at })) };
}

function readOnBuild(source: InstructionSource): Statement {
  const trigger = source.arguments.text;
  const keyword = /^\S*/.exec(trigger)?.[0].toUpperCase() ?? '';
  if (keyword === '') source.fail('ONBUILD needs an instruction');
  if (NOT_IN_TRIGGERS.has(keyword)) source.fail(`ONBUILD cannot be followed by ${keyword}`, source.arguments);
  // Read now for its faults; what it means depends on the build that it happens in.
  readStatement(source.trigger);
  return { kind: 'onbuild', trigger };
}
