/** What Dockerfile instructions make of an image's config: those that `docker commit --change` takes. */
import { BoxError } from '../errors/box-error.js';
import type { ImageConfig } from '../ports/image-store.js';

type Apply = (config: ImageConfig, rest: string, instruction: string) => ImageConfig;

const INSTRUCTIONS: Readonly<Record<string, Apply>> = {
  CMD: (config, rest) => ({ ...config, cmd: commandOf(rest) }),
  ENTRYPOINT: (config, rest) => ({ ...config, entrypoint: commandOf(rest) }),
  ENV: (config, rest, instruction) => ({
    ...config,
    env: pairsOf(rest, instruction).reduce((env, [name, value]) => withVariable(env, name, value), [...config.env]),
  }),
  EXPOSE: (config, rest, instruction) => ({
    ...config,
    exposedPorts: merged(
      config.exposedPorts,
      wordsOf(rest, instruction).flatMap((word) => portsOf(word, instruction)),
    ),
  }),
  LABEL: (config, rest, instruction) => ({
    ...config,
    labels: { ...config.labels, ...Object.fromEntries(pairsOf(rest, instruction)) },
  }),
  ONBUILD: (config, rest, instruction) => {
    if (/^(ONBUILD|FROM|MAINTAINER)\b/i.test(rest)) throw wrong(instruction, 'it cannot trigger that');
    return { ...config, onBuild: [...(config.onBuild ?? []), rest] };
  },
  USER: (config, rest, instruction) => ({ ...config, user: oneWord(rest, instruction) }),
  VOLUME: (config, rest, instruction) => ({
    ...config,
    volumes: merged(config.volumes, jsonList(rest) ?? wordsOf(rest, instruction)),
  }),
  WORKDIR: (config, rest, instruction) => ({
    ...config,
    workingDir: resolved(config.workingDir ?? '/', oneWord(rest, instruction)),
  }),
};

/** @throws INVALID_ARGUMENT for what cannot be read, UNSUPPORTED for another instruction */
export function applyChanges(config: ImageConfig, changes: readonly string[]): ImageConfig {
  return changes.reduce((changed, change) => {
    const [, name = '', rest = ''] = /^\s*([A-Za-z]+)\s*([\s\S]*?)\s*$/.exec(change) ?? [];
    const instruction = name.toUpperCase();
    const apply = Object.hasOwn(INSTRUCTIONS, instruction) ? INSTRUCTIONS[instruction] : undefined;
    if (!apply) {
      throw new BoxError('UNSUPPORTED', `"${change}" is no change that an image can be committed with`, {
        hint: `use ${Object.keys(INSTRUCTIONS).join(', ')}`,
      });
    }
    if (rest === '') throw wrong(instruction, 'it says nothing');
    return apply(changed, rest, instruction);
  }, config);
}

/** A JSON list, or a line for the shell. */
function commandOf(rest: string): readonly string[] {
  return jsonList(rest) ?? ['/bin/sh', '-c', rest];
}

function jsonList(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  } catch {
    // Docker takes what is no JSON for a line, too.
  }
  return undefined;
}

/** `NAME=VALUE ...`, or `NAME VALUE` of old. */
function pairsOf(rest: string, instruction: string): (readonly [string, string])[] {
  const [first = '', ...others] = wordsOf(rest, instruction);
  if (!first.includes('=')) {
    const value = rest.slice(rest.search(/\s|$/)).trim();
    if (first === '' || value === '') throw wrong(instruction, 'give NAME=VALUE');
    return [[first, value]];
  }
  return [first, ...others].map((word) => {
    const equals = word.indexOf('=');
    if (equals < 1) throw wrong(instruction, `"${word}" is not NAME=VALUE`);
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}

const WORD = /\s*((?:"(?:\\[\s\S]|[^"\\])*"|'[^']*'|\\[\s\S]|[^\s"'\\])+)/y;
const PART = /"((?:\\[\s\S]|[^"\\])*)"|'([^']*)'|\\([\s\S])|([^\s"'\\]+)/g;

/** Words with quotes and backslashes taken away. */
function wordsOf(text: string, instruction: string): string[] {
  if (/(^|[^\\])\$/.test(text)) throw unsupportedVariable(instruction);
  const words: string[] = [];
  WORD.lastIndex = 0;
  for (let at = 0; at < text.length; at = WORD.lastIndex) {
    const match = WORD.exec(text);
    if (!match) throw wrong(instruction, 'a quote is not closed');
    const parts = (match[1] ?? '').matchAll(PART);
    words.push(
      [...parts].map(([, double, single, escaped, plain]) => textOf(double, single ?? escaped ?? plain)).join(''),
    );
  }
  return words;
}

function textOf(double: string | undefined, other: string | undefined): string {
  return double === undefined ? (other ?? '') : double.replace(/\\(["\\$])/g, '$1');
}

function oneWord(text: string, instruction: string): string {
  const words = wordsOf(text, instruction);
  if (words.length !== 1 || words[0] === '') throw wrong(instruction, 'give one value');
  return words[0] as string;
}

/** `80`, `53/udp`, `8000-8002/tcp`. */
function portsOf(word: string, instruction: string): string[] {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(word);
  const from = Number(match?.[1]);
  const to = Number(match?.[2] ?? from);
  if (!match || from < 1 || to > 65535 || to < from) throw wrong(instruction, `"${word}" is no port`);
  const protocol = (match[3] ?? 'tcp').toLowerCase();
  return Array.from({ length: to - from + 1 }, (_, index) => `${from + index}/${protocol}`);
}

function withVariable(env: readonly string[], name: string, value: string): string[] {
  const variable = `${name}=${value}`;
  const at = env.findIndex((known) => known.startsWith(`${name}=`));
  return at < 0 ? [...env, variable] : env.with(at, variable);
}

function merged(known: readonly string[], more: readonly string[]): string[] {
  return [...new Set([...known, ...more])].sort();
}

function resolved(directory: string, path: string): string {
  const parts: string[] = [];
  for (const part of `${path.startsWith('/') ? '' : directory}/${path}`.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

function unsupportedVariable(instruction: string): BoxError {
  return new BoxError('UNSUPPORTED', `${instruction}: variables are not replaced in changes`, {
    hint: 'write the value, or \\$ for the sign',
  });
}

function wrong(instruction: string, why: string): BoxError {
  return new BoxError('INVALID_ARGUMENT', `${instruction}: ${why}`);
}
