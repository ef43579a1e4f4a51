/** What the documentation tests read out of a Markdown page. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface CodeBlock {
  readonly language: string;
  readonly lines: readonly string[];
  /** Line of the opening fence, from 1. */
  readonly line: number;
}

export interface Link {
  readonly target: string;
  readonly line: number;
}

export interface Page {
  /** Relative to the root. */
  readonly path: string;
  readonly links: readonly Link[];
  readonly codeBlocks: readonly CodeBlock[];
  /** Code spans in running text. */
  readonly codeSpans: readonly { readonly text: string; readonly line: number }[];
  /** Names that a link can point to in this page. */
  readonly anchors: ReadonlySet<string>;
  /** Cells of all rows of all tables, heads included. */
  readonly tableRows: readonly (readonly string[])[];
}

/** Every page of the repository that a reader may open, relative to the root. */
export function findPages(root: string): string[] {
  const exclude = (path: string): boolean => /(^|\/)(node_modules|dist|target|\.toolchain|\.cache)$/.test(path);
  return globSync(['*.md', '*/**/*.md'], { cwd: root, exclude }).sort();
}

export function readPage(root: string, path: string): Page {
  return parsePage(path, readFileSync(join(root, path), 'utf8'));
}

export function parsePage(path: string, text: string): Page {
  const links: Link[] = [];
  const codeBlocks: CodeBlock[] = [];
  const codeSpans: { text: string; line: number }[] = [];
  const anchors = new Set<string>();
  const tableRows: string[][] = [];
  // Whether this line may begin or continue code that is set off by four blanks.
  let mayIndent = true;
  let block: { fence: string; language: string; lines: string[]; line: number } | undefined;
  for (const [index, content] of text.split('\n').entries()) {
    const line = index + 1;
    const fence = /^\s*(```+|~~~+)\s*(\S*)/.exec(content);
    if (block !== undefined) {
      if (fence?.[1]?.startsWith(block.fence) && fence[2] === '') {
        codeBlocks.push(block);
        block = undefined;
      } else block.lines.push(content);
      continue;
    }
    if (fence?.[1] !== undefined) {
      block = { fence: fence[1], language: fence[2] ?? '', lines: [], line };
      continue;
    }
    const indented: boolean = mayIndent && /^ {4}\S/.test(content);
    mayIndent = indented || content === '';
    if (indented) {
      codeBlocks.push({ language: '', lines: [content.trim()], line: line - 1 });
      continue;
    }
    const row = /^\|(.*)\|\s*$/.exec(content)?.[1];
    if (row !== undefined) tableRows.push(row.split('|').map((cell) => cell.trim()));
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(content)?.[1];
    if (heading !== undefined) addAnchor(anchors, heading);
    for (const [, name] of content.matchAll(/<a\s+(?:name|id)="([^"]+)"/g)) if (name) anchors.add(name);
    for (const [, span] of content.matchAll(/`([^`]+)`/g)) if (span) codeSpans.push({ text: span, line });
    const prose = content.replaceAll(/`[^`]*`/g, '');
    for (const [, target] of prose.matchAll(/\]\(([^)\s]+)(?:\s+"[^"]*")?\)/g))
      if (target) links.push({ target, line });
    const reference = /^\[[^\]]+\]:\s+(\S+)/.exec(prose)?.[1];
    if (reference !== undefined) links.push({ target: reference, line });
  }
  return { path, links, codeBlocks, codeSpans, anchors, tableRows };
}

/** Adds a heading's anchor as GitHub names it; repeated ones are numbered. */
function addAnchor(anchors: Set<string>, heading: string): void {
  const plain = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
  const base = plain.replaceAll(/[^\p{L}\p{N}\s_-]/gu, '').replaceAll(/\s/g, '-');
  let name = base;
  for (let count = 1; anchors.has(name); count++) name = `${base}-${count}`;
  anchors.add(name);
}
