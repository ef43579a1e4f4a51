/** Finds the `a3s-box` commands that a page shows. */
import type { Page } from './markdown.ts';

export interface ShownCommand {
  /** Words after `a3s-box`, unquoted. */
  readonly argv: readonly string[];
  readonly line: number;
}

/** Words that may stand before `a3s-box` in a command. */
const PREFIXES = new Set(['$', 'npx', 'sudo', 'exec', 'time', 'env', 'if', 'while', 'until', '!', 'do', 'then']);
const SHELLS = new Set(['', 'sh', 'bash', 'console', 'shell']);

/** Commands in code blocks of a shell and in code spans. */
export function shownCommands(page: Page): ShownCommand[] {
  const commands: ShownCommand[] = [];
  for (const block of page.codeBlocks) {
    if (!SHELLS.has(block.language)) continue;
    for (const [index, text] of joinContinued(block.lines).entries()) {
      for (const argv of commandsIn(text)) commands.push({ argv, line: block.line + index + 1 });
    }
  }
  for (const { text, line } of page.codeSpans) for (const argv of commandsIn(text)) commands.push({ argv, line });
  return commands;
}

function joinContinued(lines: readonly string[]): string[] {
  const joined: string[] = [];
  let pending = '';
  for (const line of lines) {
    if (line.endsWith('\\')) {
      pending += `${line.slice(0, -1)} `;
      joined.push('');
    } else {
      joined.push(pending + line);
      pending = '';
    }
  }
  return joined;
}

/** The simple commands of a line whose program is a3s-box. */
export function commandsIn(text: string): string[][] {
  const found: string[][] = [];
  for (const words of simpleCommands(text)) {
    let at = 0;
    while (at < words.length && (PREFIXES.has(words[at] ?? '') || /^[A-Za-z_]\w*=/.test(words[at] ?? ''))) at++;
    if (/^(?:\S*\/)?a3s-box$/.test(words[at] ?? '')) found.push(words.slice(at + 1));
  }
  return found;
}

/** Splits a line at pipes, lists, redirections and comments into commands of unquoted words. */
function simpleCommands(text: string): string[][] {
  const commands: string[][] = [[]];
  const token = /\s+|(&&|\|\||[|;()&]|\d?[<>]+\s*\S+)|((?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"|;()&<>])+)/gy;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const [, operator, word] = match;
    if (operator !== undefined && !/[<>]/.test(operator)) commands.push([]);
    if (word === undefined) continue;
    if (word.startsWith('#')) break;
    commands.at(-1)?.push(unquote(word));
  }
  return commands;
}

function unquote(word: string): string {
  return word.replaceAll(/'([^']*)'|"((?:\\.|[^"\\])*)"|\\(.)/g, (_, single, double, escaped) => {
    if (single !== undefined) return String(single);
    return double === undefined ? String(escaped) : String(double).replaceAll(/\\(["\\$`])/g, '$1');
  });
}
