import type { PlacedFault } from './read-dockerfile.js';

/** What a terminal would take for an order; tabs are none. */
const CONTROLS = /(?!\t)\p{Cc}/gu;

/** Faults as a compiler shows them: place and message, the line, and a caret below the character. */
export function showFaults(name: string, text: string, faults: readonly PlacedFault[]): string {
  const lines = text.split(/\r?\n/);
  return faults.map((fault) => showFault(name, lines[fault.line - 1] ?? '', fault)).join('\n');
}

function showFault(name: string, source: string, { line, column, message }: PlacedFault): string {
  const number = `${line} | `;
  const visible = source.replace(CONTROLS, '\ufffd');
  // Tabs stay, so that the caret stands below its character whatever their width is.
  const before = source.slice(0, column - 1).replace(/[^\t]/g, ' ');
  const caret = `${' '.repeat(number.length - 2)}| ${before}^`;
  return `${name}:${line}:${column}: ${message.replace(CONTROLS, '\ufffd')}\n${number}${visible}\n${caret}`;
}
