import type { InlineFile, Statement, Transfer, Word } from './instruction.js';
import type { InstructionSource } from './instruction-source.js';
import type { Slice } from './logical-line.js';
import { Options } from './read-options.js';
import { readList } from './read-command.js';
import { placed, readTemplate } from './read-template.js';

const SHARED = { chown: 'value', chmod: 'value', link: 'switch', exclude: 'values' } as const;

/** @throws Fault */
export function readCopy(source: InstructionSource): Statement {
  const options = new Options(source, { ...SHARED, from: 'value', parents: 'switch' });
  const from = options.one('from');
  const transfer = readTransfer(source, options);
  if (from !== undefined && transfer.files.length > 0) {
    source.fail('COPY --from and a here-document exclude each other', from.place);
  }
  return { kind: 'copy', ...transfer, ...(from && { from }), parents: options.isOn('parents') };
}

/** @throws Fault */
export function readAdd(source: InstructionSource): Statement {
  const options = new Options(source, { ...SHARED, checksum: 'value', 'keep-git-dir': 'switch', unpack: 'switch' });
  const git = options.one('keep-git-dir');
  if (git !== undefined)
    source.fail('ADD of a git repository is not supported; clone it in a step of its own', git.place);
  const checksum = options.one('checksum');
  const unpack = options.one('unpack');
  const transfer = readTransfer(source, options);
  const repository = transfer.sources.find(({ source: text }) => isRepository(text));
  if (repository !== undefined) {
    source.fail('ADD of a git repository is not supported; clone it in a step of its own', repository.place);
  }
  if (checksum !== undefined && !transfer.sources.some(({ source: text }) => /^https?:\/\//.test(text))) {
    source.fail('ADD --checksum is for sources with an address', checksum.place);
  }
  return {
    kind: 'add',
    ...transfer,
    ...(checksum && { checksum }),
    ...(unpack && { unpack: unpack.source === 'true' }),
    parents: false,
  };
}

function isRepository(source: string): boolean {
  return /^(git@|git:\/\/|ssh:\/\/)/.test(source) || /^https?:\/\/[^#]*\.git(#|$)/.test(source);
}

type SharedOptions = Options<keyof typeof SHARED>;

function readTransfer(source: InstructionSource, options: SharedOptions): Omit<Transfer, 'parents'> {
  const words = wordsOf(source);
  const target = words.pop();
  const files = readFiles(source);
  // A here-document stands among the sources as a shell writes it.
  const sources = words.filter(({ text }) => files.length === 0 || !text.startsWith('<<'));
  if (target === undefined || sources.length + files.length === 0) {
    return source.fail(`${source.keyword} needs a source and a target`);
  }
  const owner = options.one('chown');
  const mode = options.one('chmod');
  if (mode !== undefined && variablesFree(mode) && !/^[0-7]{1,4}$/.test(mode.source)) {
    source.fail(`--chmod is an octal mode of at most four digits, not ${mode.source}`, mode.place);
  }
  return {
    sources: sources.map((word) => source.word(word)),
    files,
    target: source.word(target),
    ...(owner && { owner }),
    ...(mode && { mode }),
    link: options.isOn('link'),
    exclude: options.all('exclude'),
  };
}

function readFiles({ documents, escape }: InstructionSource): InlineFile[] {
  return documents.map((document) => {
    const { name, content, quoted } = document;
    if (quoted) return { name, content: { parts: [content] } };
    return {
      name,
      content: placed(
        () => readTemplate(content, escape, { quotes: false }),
        (at) => document.placeAt(at),
      ),
    };
  });
}

function variablesFree({ parts }: Word): boolean {
  return parts.every((part) => typeof part === 'string');
}

function wordsOf(source: InstructionSource): Slice[] {
  const list = readList(source.arguments);
  if (list === undefined) return source.blankSeparated;
  return list.map((text) => ({ text, at: source.arguments.at }));
}
