import type { KeyValue, Word } from './instruction.js';
import type { InstructionSource } from './instruction-source.js';
import type { Slice } from './logical-line.js';
import { part, trimmed } from './split-words.js';

/** `KEY=VALUE ...`, or the old form of one pair, `KEY VALUE with blanks`. @throws Fault */
export function readKeyValues(source: InstructionSource): KeyValue[] {
  const words = source.shellWords;
  const [first] = words;
  if (first === undefined) return source.fail(`${source.keyword} needs a name and a value`);
  if (!first.text.includes('=')) return [oldForm(source, first)];
  return words.map((word) => {
    const equals = word.text.indexOf('=');
    if (equals < 0) source.fail(`${word.text} has no value: write ${word.text}=...`, word);
    return pair(source, part(word, 0, equals), part(word, equals + 1));
  });
}

function oldForm(source: InstructionSource, key: Slice): KeyValue {
  const value = trimmed(part(source.arguments, key.text.length));
  if (value.text === '') source.fail(`${key.text} has no value: write ${key.text}=...`, key);
  return pair(source, key, value);
}

function pair(source: InstructionSource, key: Slice, value: Slice): KeyValue {
  const word: Word = source.word(key);
  if (word.parts.length === 0 || word.parts[0] === '') source.fail(`${source.keyword} has a value without a name`, key);
  return { key: word, value: source.word(value) };
}

/** `NAME` and `NAME=VALUE` of ARG. @throws Fault */
export function readArguments(source: InstructionSource): { name: string; value?: Word; place: Word['place'] }[] {
  const words = source.shellWords;
  if (words.length === 0) source.fail('ARG needs a name');
  return words.map((word) => {
    const place = source.placeOf(word);
    const equals = word.text.indexOf('=');
    const name = equals < 0 ? word.text : word.text.slice(0, equals);
    if (!/^[^\s"'$=]+$/.test(name)) source.fail(`ARG: ${JSON.stringify(name)} is no name of a variable`, word);
    return equals < 0 ? { name, place } : { name, place, value: source.word(part(word, equals + 1)) };
  });
}
