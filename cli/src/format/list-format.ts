/** `--format` of commands that print lists: `table`, `table TEMPLATE`, `json` or a template for each line. */
import { BoxError } from '@a3s-box/core';
import { table } from '../actions/table.js';
import { jsonOf } from './go-values.js';
import { HEADER_FUNCTIONS } from './template-functions.js';
import { Template } from './template.js';

/** A line: texts, and methods with one argument, such as `.Label "a"`. */
export type Row = Readonly<Record<string, string | ((argument: string) => string)>>;

interface ListFormatOptions {
  /** Template of the table that is printed without `--format`. */
  readonly columns: string;
  /** Every field with what a table calls it; a method with what it calls its argument. */
  readonly headers: Row;
}

/** How a list is printed. */
export class ListFormat {
  readonly #template: Template | undefined;
  readonly #headers: Row | undefined;

  /** @throws INVALID_ARGUMENT for a template that cannot be read or names a field that there is not */
  constructor(format: string, { columns, headers }: ListFormatOptions) {
    const asked = format === '' ? 'table' : format.trim();
    if (asked === 'raw' || asked === 'pretty') {
      throw new BoxError('INVALID_ARGUMENT', `the format "${asked}" is not supported`, {
        hint: "use 'table', 'json' or a template such as '{{.ID}}'",
      });
    }
    if (asked === 'json') return;
    const inTable = asked.startsWith('table');
    const text = asked === 'table' ? columns : inTable ? asked.slice('table'.length).trim() : asked;
    this.#template = new Template(text.replaceAll('\\t', '\t').replaceAll('\\n', '\n'));
    if (inTable) this.#headers = headers;
    // Finds fields that there are not, also where no line is printed.
    this.#template.execute(headers, HEADER_FUNCTIONS);
  }

  /** The lines. */
  print(rows: readonly Row[]): string {
    const template = this.#template;
    if (template === undefined) return rows.map((row) => `${jsonOf(row)}\n`).join('');
    const lines = rows.map((row) => template.execute(row));
    if (this.#headers === undefined) return lines.map((line) => `${line}\n`).join('');
    const head = template.execute(this.#headers, HEADER_FUNCTIONS);
    return table([head, ...lines].map((line) => line.split('\t')));
  }
}
