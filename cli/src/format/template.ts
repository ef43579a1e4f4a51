import { isTrue, printed, sortedEntries } from './go-values.js';
import { templateFailure } from './template-failure.js';
import { callFunction, FUNCTIONS, type TemplateFunction } from './template-functions.js';
import { parseTemplate, type Command, type Node, type Operand, type Pipeline } from './template-syntax.js';

/** The part of Go's text/template, with Docker's functions, that `--format` takes (docs/adr/0051). */
export class Template {
  readonly #nodes: readonly Node[];

  /** @throws INVALID_ARGUMENT that names what is wrong or not supported */
  constructor(template: string) {
    this.#nodes = parseTemplate(template, (name) => FUNCTIONS.has(name));
  }

  /**
   * @param data what `.` is: see go-values.ts for what counts as what
   * @param functions in the place of those of the same name
   * @throws INVALID_ARGUMENT for a field that is not there, and values that a function does not take
   */
  execute(data: unknown, functions: ReadonlyMap<string, TemplateFunction> = new Map()): string {
    const evaluation = new Evaluation(functions);
    evaluation.walk(this.#nodes, { dot: data, variables: [['$', data]] });
    return evaluation.output;
  }
}

interface Scope {
  readonly dot: unknown;
  /** Of one name the last counts. */
  readonly variables: [name: string, value: unknown][];
}

class Evaluation {
  output = '';
  readonly #functions: ReadonlyMap<string, TemplateFunction>;

  constructor(functions: ReadonlyMap<string, TemplateFunction>) {
    this.#functions = functions;
  }

  walk(nodes: readonly Node[], scope: Scope): void {
    for (const node of nodes) {
      if (node.kind === 'text') {
        this.output += node.text;
      } else if (node.kind === 'print') {
        const value = this.#pipeline(node.pipeline, scope);
        if (node.pipeline.names.length === 0) this.output += printed(value);
      } else {
        this.#block(node, { ...scope, variables: [...scope.variables] });
      }
    }
  }

  #block(node: Exclude<Node, { kind: 'text' | 'print' }>, scope: Scope): void {
    const { kind, pipeline, body, otherwise } = node;
    if (kind === 'range') {
      const rounds = roundsOf(this.#value(pipeline, scope));
      for (const [key, dot] of rounds) {
        const variables = [...scope.variables];
        const values = pipeline.names.length === 2 ? [key, dot] : [dot];
        for (const [i, name] of pipeline.names.entries()) variables.push([name, values[i]]);
        this.walk(body, { dot, variables });
      }
      if (rounds.length === 0) this.walk(otherwise, scope);
      return;
    }
    const value = this.#pipeline(pipeline, scope);
    if (!isTrue(value)) this.walk(otherwise, scope);
    else this.walk(body, kind === 'with' ? { ...scope, dot: value } : scope);
  }

  #pipeline(pipeline: Pipeline, scope: Scope): unknown {
    const value = this.#value(pipeline, scope);
    for (const name of pipeline.names) {
      const known = pipeline.assigns ? scope.variables.findLast(([known]) => known === name) : undefined;
      if (known) known[1] = value;
      else scope.variables.push([name, value]);
    }
    return value;
  }

  #value({ commands }: Pipeline, scope: Scope): unknown {
    const [first = [], ...others] = commands;
    return others.reduce<unknown>(
      (value, command) => this.#command(command, scope, [value]),
      this.#command(first, scope, []),
    );
  }

  /** @param piped the value before the `|`, the command's last argument */
  #command([head, ...operands]: Command, scope: Scope, piped: readonly unknown[]): unknown {
    if (head === undefined) throw templateFailure('a command is empty');
    if (head.base.kind !== 'function') {
      const args = [...operands.map((operand) => this.#operand(operand, scope)), ...piped];
      return this.#fields(head, scope, args);
    }
    const { name } = head.base;
    if (name === 'and' || name === 'or') return this.#logic(name, operands, scope, piped);
    const args = [...operands.map((operand) => this.#operand(operand, scope)), ...piped];
    return callFunction(name, args, this.#functions);
  }

  /** Reads no more arguments than it has to. */
  #logic(name: 'and' | 'or', operands: readonly Operand[], scope: Scope, piped: readonly unknown[]): unknown {
    let value: unknown = piped[0];
    if (operands.length + piped.length === 0) throw templateFailure(`wrong number of arguments for ${name}`);
    for (const operand of operands) {
      value = this.#operand(operand, scope);
      if (isTrue(value) === (name === 'or')) return value;
    }
    return piped.length > 0 ? piped[0] : value;
  }

  #operand(operand: Operand, scope: Scope): unknown {
    return operand.base.kind === 'function' ? this.#command([operand], scope, []) : this.#fields(operand, scope, []);
  }

  /** @param args for a method at the end of the fields */
  #fields({ base, fields }: Operand, scope: Scope, args: readonly unknown[]): unknown {
    let value = this.#base(base, scope);
    for (const [i, name] of fields.entries()) {
      const member = memberOf(value, name);
      const given = i === fields.length - 1 ? args : [];
      if (typeof member !== 'function') {
        value = member;
        if (given.length > 0) throw templateFailure(`.${name} takes no argument`);
      } else {
        const method = member as TemplateFunction;
        if (method.length !== given.length) throw templateFailure(`.${name} takes ${method.length} argument`);
        value = method(...given);
      }
    }
    if (fields.length === 0 && args.length > 0) throw templateFailure(`${printed(value)} takes no argument`);
    return value;
  }

  #base(base: Operand['base'], scope: Scope): unknown {
    switch (base.kind) {
      case 'dot':
        return scope.dot;
      case 'literal':
        return base.value;
      case 'group':
        return this.#value(base.pipeline, scope);
      case 'variable':
        return scope.variables.findLast(([name]) => name === base.name)?.[1];
      case 'function':
        throw templateFailure(`function ${base.name} stands where a value is due`);
    }
  }
}

function memberOf(value: unknown, name: string): unknown {
  if (value instanceof Map) return value.get(name);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw templateFailure(`there is no field .${name} in ${printed(value)}`);
  }
  if (Object.hasOwn(value, name)) return (value as Record<string, unknown>)[name];
  throw templateFailure(
    `there is no field .${name}`,
    `there are ${Object.keys(value)
      .map((key) => `.${key}`)
      .join(', ')}`,
  );
}

function roundsOf(value: unknown): [unknown, unknown][] {
  if (Array.isArray(value)) return [...value.entries()];
  if (value instanceof Map) return sortedEntries(value);
  if (value === null || value === undefined) return [];
  throw templateFailure(`range over ${printed(value)}, which is no list`);
}
