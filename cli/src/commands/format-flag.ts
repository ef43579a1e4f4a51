import { nonEmpty } from '../grammar/values.js';

/** `--format` of commands that print lists. */
export const listFormatFlag = {
  format: {
    kind: 'value',
    placeholder: 'FORMAT',
    parse: nonEmpty,
    absent: 'table',
    summary: "table, 'table TEMPLATE', json (a document a line) or a Go template for each line",
  },
} as const;

/** `--format` of commands that print one thing. */
export const objectFormatFlag = {
  format: { kind: 'value', placeholder: 'FORMAT', parse: nonEmpty, summary: 'json or a Go template' },
} as const;
