import type { Command } from './instruction.js';
import type { Slice } from './logical-line.js';

/** A JSON list of texts; undefined for anything else, which is a shell's although it begins with a bracket, as in Docker. */
export function readList({ text }: Slice): readonly string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  return Array.isArray(value) && value.every((it) => typeof it === 'string') ? value : undefined;
}

/** A command in either form. */
export function readCommand(slice: Slice): Command {
  const words = readList(slice);
  return words === undefined ? { form: 'shell', line: slice.text } : { form: 'exec', words };
}
