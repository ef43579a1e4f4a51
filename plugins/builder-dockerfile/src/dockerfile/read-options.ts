import type { Word } from './instruction.js';
import type { InstructionSource, Option } from './instruction-source.js';
import type { Slice } from './logical-line.js';

/** How often an option may be given, and whether it is a switch, which needs no value. */
export type OptionKind = 'value' | 'values' | 'switch';

/** An instruction's options by name; a switch's word is `true` or `false`. */
export class Options<Names extends string> {
  private readonly words = new Map<string, Word[]>();
  private readonly slices = new Map<string, Slice[]>();

  /** @throws Fault for one that is unknown, given twice, or lacks its value */
  constructor(source: InstructionSource, known: Readonly<Record<Names, OptionKind>>) {
    for (const option of source.options) {
      const kind = Object.hasOwn(known, option.name) ? known[option.name as Names] : undefined;
      if (kind === undefined) unknown(source, option, Object.keys(known));
      const before = this.words.get(option.name) ?? [];
      if (kind !== 'values' && before.length > 0) {
        source.fail(`${source.keyword} has --${option.name} twice`, option.place);
      }
      this.words.set(option.name, [...before, wordOf(source, option, kind)]);
      if (option.value !== undefined) this.slices.set(option.name, [...this.text(option.name), option.value]);
    }
  }

  one(name: Names): Word | undefined {
    return this.words.get(name)?.[0];
  }

  all(name: Names): readonly Word[] {
    return this.words.get(name) ?? [];
  }

  /** The values as they stand in the source. */
  text(name: string): readonly Slice[] {
    return this.slices.get(name) ?? [];
  }

  isOn(name: Names): boolean {
    return this.one(name)?.source === 'true';
  }
}

function unknown(source: InstructionSource, option: Option, known: readonly string[]): never {
  const others = known.length === 0 ? 'it has no options' : `known are --${known.join(', --')}`;
  return source.fail(`${source.keyword} has no option --${option.name}; ${others}`, option.place);
}

function wordOf(source: InstructionSource, { name, value, place }: Option, kind: OptionKind): Word {
  if (kind === 'switch') {
    const text = value?.text ?? 'true';
    if (text !== 'true' && text !== 'false') source.fail(`--${name} is true or false, not ${text}`, value);
    return { parts: [text], place, source: text };
  }
  if (value === undefined || value.text === '') return source.fail(`--${name} needs a value: --${name}=...`, place);
  return source.word(value);
}
