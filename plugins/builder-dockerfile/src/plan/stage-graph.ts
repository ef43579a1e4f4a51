import { Fault } from '../dockerfile/fault.js';
import type { Dockerfile, Instruction, Stage, Word } from '../dockerfile/instruction.js';
import type { Lookup } from '../dockerfile/template.js';
import { ArgumentScope, type GivenArguments } from './argument-scope.js';
import { demanded, expandWord } from './expand-word.js';

/** Where files come from: nothing, another stage by its index, or an image. */
export type Origin =
  | { readonly kind: 'scratch' }
  | { readonly kind: 'stage'; readonly index: number }
  | { readonly kind: 'image'; readonly name: string };

export interface PlannedStage {
  readonly stage: Stage;
  readonly base: Origin;
  /** As FROM names it; absent: the build's target. */
  readonly platform?: string;
  /** Indexes of the stages that have to be there before, its base among them. */
  readonly needs: ReadonlySet<number>;
}

export interface StageGraph {
  readonly globals: ArgumentScope;
  readonly stages: readonly PlannedStage[];
  /** Index of the stage that is the result. */
  readonly target: number;
  /** Indexes of the stages that the result needs, itself too, each behind those that it needs. */
  readonly order: readonly number[];
}

/**
 * Finds out which stages are built from which.
 * @param target name or index of the stage that is wanted; absent: the last one
 * @throws Fault
 */
export function stageGraph(dockerfile: Dockerfile, given: GivenArguments, target?: string): StageGraph {
  const globals = new ArgumentScope(given);
  const lookup: Lookup = (name) => globals.get(name);
  for (const instruction of dockerfile.globals) demanded(instruction, () => globals.declare(instruction, lookup));
  const stages: PlannedStage[] = [];
  for (const stage of dockerfile.stages) stages.push(planned(stage, dockerfile.stages.slice(0, stages.length), lookup));
  const wanted = target === undefined ? stages.length - 1 : targetIndex(dockerfile.stages, target);
  return { globals, stages, target: wanted, order: neededFor(wanted, stages) };
}

/** What an origin is called in COPY --from and in mounts: an index, a stage's name, or an image. @throws Fault */
export function originNamed(name: string, before: readonly Stage[], place: Instruction['place']): Origin {
  const index = stageIndex(name, before);
  if (index >= 0) return { kind: 'stage', index };
  if (/^\d+$/.test(name)) throw new Fault(place, `there is no stage ${name} before this one`);
  return { kind: 'image', name };
}

function planned(stage: Stage, before: readonly Stage[], lookup: Lookup): PlannedStage {
  const { from } = stage;
  const base = baseOf(stage, before, lookup);
  const platform = from.platform && expandWord(from.platform, lookup);
  if (platform === '') throw new Fault(from.platform?.place ?? from.place, 'the platform is empty');
  const needs = new Set(base.kind === 'stage' ? [base.index] : []);
  for (const word of stage.instructions.flatMap(originsOf)) {
    // Only what stands before the first FROM can be put in here: which stages there are must be known before one is built.
    const origin = originNamed(expandWord(word, lookup), before, word.place);
    if (origin.kind === 'stage') needs.add(origin.index);
  }
  return { stage, base, needs, ...(platform !== undefined && { platform }) };
}

function baseOf({ from }: Stage, before: readonly Stage[], lookup: Lookup): Origin {
  const name = expandWord(from.image, lookup);
  if (name === '')
    throw new Fault(from.image.place, `${from.image.source} is empty: give the argument, or a default to its ARG`);
  const index = before.findLastIndex((stage) => stage.from.name === name.toLowerCase());
  if (index >= 0) return { kind: 'stage', index };
  return name === 'scratch' ? { kind: 'scratch' } : { kind: 'image', name };
}

/** What an instruction takes files from. */
export function originsOf(instruction: Instruction): Word[] {
  if (instruction.kind === 'copy') return instruction.from ? [instruction.from] : [];
  if (instruction.kind !== 'run') return [];
  return instruction.mounts.flatMap(({ options }) => options.get('from') ?? []);
}

function stageIndex(name: string, stages: readonly Stage[]): number {
  const named = stages.findLastIndex(({ from }) => from.name === name.toLowerCase());
  if (named >= 0 || !/^\d{1,5}$/.test(name)) return named;
  return Number(name) < stages.length ? Number(name) : -1;
}

function targetIndex(stages: readonly Stage[], target: string): number {
  const index = stageIndex(target, stages);
  if (index >= 0) return index;
  const names = stages.flatMap(({ from }) => from.name ?? []);
  const known = names.length === 0 ? 'no stage has a name' : `the file has ${names.join(', ')}`;
  throw new Fault({ line: 1, column: 1 }, `there is no stage ${target}; ${known}`);
}

/** A stage needs only earlier ones, so their order in the file is one in which they can be built. */
function neededFor(target: number, stages: readonly PlannedStage[]): number[] {
  const stack = [target];
  const needed = new Set<number>();
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (needed.has(next)) continue;
    needed.add(next);
    stack.push(...(stages[next]?.needs ?? []));
  }
  return [...needed].sort((a, b) => a - b);
}
