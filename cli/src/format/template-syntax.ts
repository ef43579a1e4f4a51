/** Reads a Go template into a tree. */
import { piecesOf, templateError, type Token } from './template-tokens.js';

export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly pipeline: Pipeline }
  | {
      readonly kind: 'if' | 'with' | 'range';
      readonly pipeline: Pipeline;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    };

export interface Pipeline {
  /** Variables that take the value: one, or of a range also index and element. */
  readonly names: readonly string[];
  /** Whether the variables are there already (`=`). */
  readonly assigns: boolean;
  readonly commands: readonly Command[];
}

/** A value, or a function and its arguments. */
export type Command = readonly Operand[];

/** A value with the fields that are taken of it. */
export interface Operand {
  readonly base:
    | { readonly kind: 'dot' }
    | { readonly kind: 'variable' | 'function'; readonly name: string }
    | { readonly kind: 'literal'; readonly value: unknown }
    | { readonly kind: 'group'; readonly pipeline: Pipeline };
  readonly fields: readonly string[];
}

const BLOCKS = ['if', 'with', 'range'] as const;
type Block = (typeof BLOCKS)[number];
/** Words of text/template that this one does not know. */
const UNSUPPORTED = ['define', 'template', 'block', 'break', 'continue'];
const LITERALS = new Map<string, unknown>([
  ['true', true],
  ['false', false],
  ['nil', null],
]);

/** @param isFunction whether a function of the name exists. @throws INVALID_ARGUMENT */
export function parseTemplate(template: string, isFunction: (name: string) => boolean): readonly Node[] {
  return new Parser(template, isFunction).parse();
}

class Parser {
  readonly #pieces;
  readonly #isFunction: (name: string) => boolean;
  #tokens: Token[] = [];
  /** The variables in sight. */
  #variables = ['$'];

  constructor(template: string, isFunction: (name: string) => boolean) {
    this.#pieces = piecesOf(template)[Symbol.iterator]();
    this.#isFunction = isFunction;
  }

  parse(): readonly Node[] {
    const { nodes, end } = this.#list();
    if (end !== undefined) throw templateError(`unexpected {{${end}}}`);
    return nodes;
  }

  /** Nodes up to an `end` or `else`, whose tokens are left, or the end of the template. */
  #list(): { nodes: Node[]; end: string | undefined } {
    const nodes: Node[] = [];
    for (const piece of this.#pieces) {
      if (piece.kind === 'text') {
        nodes.push(piece);
        continue;
      }
      this.#tokens = [...piece.tokens];
      const [first] = piece.tokens;
      const word = first?.kind === 'word' ? first.text : '';
      if (word === 'end' || word === 'else') {
        this.#tokens.shift();
        return { nodes, end: word };
      }
      if (UNSUPPORTED.includes(word)) throw templateError(`{{${word}}} is not supported`);
      const block = BLOCKS.find((known) => known === word);
      if (block) {
        this.#tokens.shift();
        nodes.push(this.#block(block));
      } else {
        nodes.push({ kind: 'print', pipeline: this.#wholePipeline('command') });
      }
    }
    return { nodes, end: undefined };
  }

  /** From after its word to its end. */
  #block(kind: Block): Node {
    const outer = [...this.#variables];
    const pipeline = this.#wholePipeline(kind);
    const { nodes: body, end } = this.#list();
    if (end === undefined) throw templateError(`{{${kind}}} has no {{end}}`);
    const node = { kind, pipeline, body, otherwise: end === 'else' ? this.#otherwise(kind) : this.#closed() };
    this.#variables = outer;
    return node;
  }

  #otherwise(kind: Block): readonly Node[] {
    const word = this.#tokens.shift();
    if (word !== undefined) {
      const chained = BLOCKS.find((known) => known === word.text);
      // `{{else if}}` ends with the block that it stands in.
      if (chained === undefined || chained === 'range') throw templateError(`unexpected "${word.text}" after else`);
      return [this.#block(chained)];
    }
    const { nodes, end } = this.#list();
    if (end !== 'end') throw templateError(`{{${kind}}} has no {{end}}`);
    this.#closed();
    return nodes;
  }

  #closed(): readonly Node[] {
    const [extra] = this.#tokens;
    if (extra) throw templateError(`unexpected "${extra.text}" after end`);
    return [];
  }

  #wholePipeline(where: string): Pipeline {
    const pipeline = this.#pipeline(where);
    const [extra] = this.#tokens;
    if (extra) throw templateError(`unexpected "${extra.text}" in ${where}`);
    return pipeline;
  }

  #pipeline(where: string): Pipeline {
    const declared = this.#declaration(where);
    const commands: Command[] = [];
    do commands.push(this.#command(where));
    while (this.#take('|'));
    // Seen from here on only, as in Go.
    if (!declared.assigns) this.#variables.push(...declared.names);
    return { ...declared, commands };
  }

  #declaration(where: string): { names: string[]; assigns: boolean } {
    const [first, sign, second, next] = this.#tokens;
    const isName = (token?: Token) => token?.kind === 'variable' && token.text.length > 1;
    const count = isName(first) && sign?.text === ',' && isName(second) ? 2 : 1;
    const assignment = count === 2 ? next : sign;
    const text = assignment?.kind === 'sign' ? assignment.text : '';
    if (!isName(first) || (text !== ':=' && text !== '=')) return { names: [], assigns: false };
    if (count === 2 && where !== 'range') throw templateError(`two variables in ${where}`);
    const names = [first, ...(count === 2 ? [second] : [])].map((token) => token?.text ?? '');
    this.#tokens.splice(0, count * 2);
    if (text === '=') for (const name of names) this.#checkVariable(name);
    return { names, assigns: text === '=' };
  }

  #command(where: string): Command {
    const operands: Operand[] = [];
    for (;;) {
      const [token] = this.#tokens;
      if (token === undefined || (token.kind === 'sign' && token.text !== '(')) break;
      operands.push(this.#operand());
    }
    if (operands.length === 0) throw templateError(`missing value for ${where}`);
    return operands;
  }

  #operand(): Operand {
    const fields: string[] = [];
    const base = this.#base(fields);
    const chains = fields.length > 0 || base.kind === 'variable' || base.kind === 'group';
    while (chains && this.#tokens[0]?.kind === 'field' && this.#tokens[0].joined) {
      fields.push(this.#tokens.shift()?.text.slice(1) ?? '');
    }
    return { base, fields };
  }

  /** @param fields takes the first, where the operand starts with it */
  #base(fields: string[]): Operand['base'] {
    const token = this.#tokens.shift();
    const text = token?.text ?? '';
    if (token?.kind === 'field') {
      fields.push(text.slice(1));
      return { kind: 'dot' };
    }
    if (token?.kind === 'dot') return { kind: 'dot' };
    if (token?.kind === 'string') return { kind: 'literal', value: text };
    if (token?.kind === 'number') return { kind: 'literal', value: Number(text) };
    if (token?.kind === 'variable') {
      this.#checkVariable(text);
      return { kind: 'variable', name: text };
    }
    if (token?.kind === 'sign') return this.#group();
    if (LITERALS.has(text)) return { kind: 'literal', value: LITERALS.get(text) };
    if (!this.#isFunction(text)) throw templateError(`function "${text}" not defined`);
    return { kind: 'function', name: text };
  }

  #group(): Operand['base'] {
    const pipeline = this.#pipeline('parentheses');
    if (!this.#take(')')) throw templateError('unclosed left parenthesis');
    return { kind: 'group', pipeline };
  }

  #take(sign: string): boolean {
    const [token] = this.#tokens;
    const taken = token?.kind === 'sign' && token.text === sign;
    if (taken) this.#tokens.shift();
    return taken;
  }

  #checkVariable(name: string): void {
    if (!this.#variables.includes(name)) throw templateError(`undefined variable "${name}"`);
  }
}
