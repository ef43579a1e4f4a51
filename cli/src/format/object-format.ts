/** `--format` of commands that print one thing: `json` or a template. */
import { jsonOf } from './go-values.js';
import { Template } from './template.js';

/** @returns what prints a value, a line each. @throws INVALID_ARGUMENT for a template that cannot be read */
export function objectFormat(format: string): (value: unknown) => string {
  if (format === 'json') return (value) => `${jsonOf(value)}\n`;
  const template = new Template(format);
  return (value) => `${template.execute(value)}\n`;
}

/** With the names of Go's fields: `chosenBackend` becomes `ChosenBackend`, in all that it holds. */
export function withGoNames(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withGoNames);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name.charAt(0).toUpperCase() + name.slice(1), withGoNames(item)]),
  );
}
