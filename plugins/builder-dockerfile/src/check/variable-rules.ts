import type { Dockerfile, Instruction, Stage, Word } from '../dockerfile/instruction.js';
import { DemandedVariable, expand, variablesOf, type Lookup, type Template } from '../dockerfile/template.js';
import { PLATFORM_ARGUMENTS, PROXY_ARGUMENTS } from '../dockerfile/predefined.js';
import { wordsOf } from '../dockerfile/words-of.js';
import type { Finding, Rule } from './rule.js';

/** Rules about variables that nothing sets. */
export const VARIABLE_RULES: readonly Rule[] = [
  {
    name: 'UndefinedArgInFrom',
    find(dockerfile) {
      const known = new Set([...globalNames(dockerfile), ...PLATFORM_ARGUMENTS]);
      return dockerfile.stages.flatMap(({ from }) => {
        return [from.image, ...(from.platform ? [from.platform] : [])].flatMap((word) => unknown(word, known, 'FROM'));
      });
    },
  },
  {
    name: 'InvalidDefaultArgInFrom',
    find(dockerfile) {
      const defaults = new Map(
        dockerfile.globals.flatMap(({ names }) => names.map(({ name, value }) => [name, value])),
      );
      const lookup = (name: string): string | undefined => {
        const value = defaults.get(name);
        return value === undefined ? undefined : withDefaults(value, () => undefined);
      };
      return dockerfile.stages.flatMap(({ from: { image } }) => {
        if (variablesOf(image).every((name) => lookup(name) !== undefined || PLATFORM_ARGUMENTS.includes(name)))
          return [];
        const name = withDefaults(image, lookup);
        // Who demands an argument knows that it has no default.
        if (name === undefined || (name !== '' && !/^[:@]|[:@/]$/.test(name))) return [];
        return [{ place: image.place, message: `${image.source} is no image when no argument is given` }];
      });
    },
  },
  {
    name: 'UndefinedVar',
    find(dockerfile) {
      const outer = new Set(globalNames(dockerfile));
      const known = new Map<string, StageVariables>();
      return dockerfile.stages.flatMap((stage) => {
        const base = stage.from.image.source.toLowerCase();
        const begin = known.get(base) ?? { names: new Set(PROXY_ARGUMENTS), whole: base === 'scratch' };
        const { findings, variables } = undefinedIn(stage, begin, outer);
        if (stage.from.name !== undefined) known.set(stage.from.name, variables);
        return findings;
      });
    },
  },
];

/** What a stage's instructions may use. */
interface StageVariables {
  readonly names: ReadonlySet<string>;
  /** Whether that is all: an image from elsewhere may bring more. */
  readonly whole: boolean;
}

function undefinedIn({ instructions }: Stage, begin: StageVariables, outer: ReadonlySet<string>) {
  const names = new Set(begin.names);
  const findings = instructions.flatMap((instruction) => {
    const missing = wordsOf(instruction).flatMap((word) => {
      return variablesOf(word).flatMap((name) => {
        if (names.has(name)) return [];
        if (outer.has(name)) {
          return [
            {
              place: word.place,
              message: `${name} is of the lines before the first FROM; repeat ARG ${name} in this stage`,
            },
          ];
        }
        return begin.whole ? [{ place: word.place, message: `nothing sets ${name}` }] : [];
      });
    });
    for (const name of namesSetBy(instruction)) names.add(name);
    return missing;
  });
  return { findings, variables: { names, whole: begin.whole } };
}

function namesSetBy(instruction: Instruction): string[] {
  if (instruction.kind === 'arg') return instruction.names.map(({ name }) => name);
  return instruction.kind === 'env' ? instruction.pairs.map(({ key }) => key.source) : [];
}

/** @returns undefined when it demands a variable that is not set */
function withDefaults(template: Template, lookup: Lookup): string | undefined {
  try {
    return expand(template, lookup);
  } catch (error) {
    if (error instanceof DemandedVariable) return undefined;
    throw error;
  }
}

function globalNames({ globals }: Dockerfile): string[] {
  return globals.flatMap(({ names }) => names.map(({ name }) => name));
}

function unknown(word: Word, known: ReadonlySet<string>, where: string): Finding[] {
  return variablesOf(word)
    .filter((name) => !known.has(name))
    .map((name) => ({ place: word.place, message: `${where} asks for ${name}, and no ARG before it names it` }));
}
