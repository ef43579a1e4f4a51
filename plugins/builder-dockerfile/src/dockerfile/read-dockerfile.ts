import {
  DockerfileParser,
  type Dockerfile as ParsedDockerfile,
  type Heredoc,
  type Instruction as ParsedInstruction,
  type Run,
} from 'dockerfile-ast';
import { ALL_CHECKS, readChecks, type Checks } from './check-directive.js';
import { Fault, type Place } from './fault.js';
import { InstructionSource, type HereDocument } from './instruction-source.js';
import type { Dockerfile, Instruction, Stage } from './instruction.js';
import { LogicalLine } from './logical-line.js';
import { readStatement } from './read-statement.js';

/** Longest description, UTF-16 units, and most instructions: more is no description that somebody wrote. */
const LONGEST = 4 * 1024 * 1024;
const MOST = 10_000;

/** What was read: the file, or everything that is wrong with it in the order of the lines. */
export type Reading =
  | { readonly kind: 'dockerfile'; readonly dockerfile: Dockerfile }
  | { readonly kind: 'faults'; readonly faults: readonly PlacedFault[] };

export interface PlacedFault extends Place {
  readonly message: string;
}

/** Reads a Dockerfile whole; nothing of it is left for later but what depends on values of variables. */
export function readDockerfile(text: string): Reading {
  if (text.length > LONGEST)
    return failed([{ line: 1, column: 1, message: `the file is longer than ${LONGEST} characters` }]);
  const lines = text.replace(/^\ufeff/, '').split(/\r?\n/);
  // The parser would take what follows it for a new line's second character.
  const stray = lines.findIndex((line) => line.includes('\r'));
  if (stray >= 0) {
    const column = (lines[stray]?.indexOf('\r') ?? 0) + 1;
    return failed([
      { line: stray + 1, column, message: 'a carriage return stands here without a line feed behind it' },
    ]);
  }
  const parsed = DockerfileParser.parse(lines.join('\n'));
  const escape = parsed.getEscapeCharacter();
  const found = parsed.getInstructions();
  if (found.length > MOST)
    return failed([{ line: 1, column: 1, message: `the file has more than ${MOST} instructions` }]);
  const faults: PlacedFault[] = [];
  const collect = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      faults.push({ ...error.place, message: error.message });
      return undefined;
    }
  };
  const instructions: Instruction[] = [];
  for (const one of found) {
    const instruction = collect(() => readInstruction(one, lines, escape));
    if (instruction !== undefined) instructions.push(instruction);
  }
  // What is not read would make others look wrong.
  const dockerfile =
    faults.length === 0 ? collect(() => ({ checks: checksOf(parsed), ...inStages(instructions) })) : undefined;
  return dockerfile === undefined ? failed(faults) : { kind: 'dockerfile', dockerfile };
}

/** @throws Fault */
function checksOf(parsed: ParsedDockerfile): Checks {
  const directive = parsed.getDirectives().find((it) => it.getName().toLowerCase() === 'check');
  if (directive === undefined) return ALL_CHECKS;
  const { start } = directive.getRange();
  const checks = readChecks(directive.getValue());
  if (checks !== undefined) return checks;
  throw new Fault(
    { line: start.line + 1, column: start.character + 1 },
    'check is skip=RULE,... or error=true, or both with ";"',
  );
}

function failed(faults: readonly PlacedFault[]): Reading {
  return { kind: 'faults', faults };
}

function readInstruction(parsed: ParsedInstruction, lines: readonly string[], escape: string): Instruction {
  const range = parsed.getRange();
  const heredocs = heredocsOf(parsed, lines);
  const documentsAt = Math.min(...heredocs.map((it) => firstLine(it)), range.end.line + 1);
  const line = new LogicalLine(lines, range.start, documentsAt, escape);
  const documentLines = lines.slice(documentsAt, range.end.line + 1).join('\n');
  const documents = heredocs.map((it) => documentOf(it, lines));
  const source = new InstructionSource({ line, escape, documents, documentLines });
  return { ...readStatement(source), place: source.place, source: line.text };
}

/** Those of the instructions that have such; of others `<<` is a text like any. @throws Fault */
function heredocsOf(parsed: ParsedInstruction, lines: readonly string[]): Heredoc[] {
  const { start, end } = parsed.getRange();
  const written = lines.slice(start.line, end.line + 1).some((line) => line.includes('<<'));
  if (!written || !/^(RUN|COPY|ADD|ONBUILD)$/.test(parsed.getKeyword())) return [];
  try {
    // Every instruction has this method; the types show it of RUN and COPY alone.
    return (parsed as Run).getHeredocs();
  } catch (error) {
    // Where comments with escape characters stand between the lines, it loses count of them.
    if (!(error instanceof TypeError)) throw error;
    throw new Fault(
      { line: start.line + 1, column: start.character + 1 },
      'the here-documents of this instruction cannot be told apart',
    );
  }
}

/** Line, from 0, on which the here-document's content begins, or else its end. */
function firstLine(heredoc: Heredoc): number {
  return (heredoc.getContentRange() ?? heredoc.getDelimiterRange())?.start.line ?? Infinity;
}

function documentOf(heredoc: Heredoc, lines: readonly string[]): HereDocument {
  const { start, end } = heredoc.getStartRange();
  const begin = (lines[start.line] ?? '').slice(start.character, end.character);
  const name = heredoc.getName();
  const limit = heredoc.getDelimiterRange();
  if (limit === null) {
    throw new Fault({ line: start.line + 1, column: start.character + 1 }, `the here-document is not ended by ${name}`);
  }
  const content = heredoc.getContentRange();
  const body = content === null ? [] : lines.slice(content.start.line, limit.start.line);
  const kept = begin.startsWith('<<-') ? body.map((it) => it.replace(/^\t+/, '')) : body;
  const placeAt = (offset: number): Place => {
    let [line, rest] = [0, offset];
    for (; rest > (kept[line]?.length ?? Infinity); line++) rest -= (kept[line]?.length ?? 0) + 1;
    const tabs = (body[line]?.length ?? 0) - (kept[line]?.length ?? 0);
    return { line: limit.start.line - body.length + line + 1, column: tabs + rest + 1 };
  };
  return { name, content: kept.map((it) => `${it}\n`).join(''), quoted: /["']/.test(begin), placeAt };
}

/** @throws Fault */
function inStages(instructions: readonly Instruction[]): Omit<Dockerfile, 'checks'> {
  const globals: Extract<Instruction, { kind: 'arg' }>[] = [];
  const stages: { from: Stage['from']; instructions: Instruction[] }[] = [];
  for (const instruction of instructions) {
    const stage = stages.at(-1);
    if (instruction.kind === 'from') stages.push({ from: instruction, instructions: [] });
    else if (stage !== undefined) stage.instructions.push(instruction);
    else if (instruction.kind === 'arg') globals.push(instruction);
    else throw new Fault(instruction.place, 'before the first FROM there may only be ARG');
  }
  if (stages.length === 0) throw new Fault({ line: 1, column: 1 }, 'the file has no FROM');
  return { globals, stages };
}
