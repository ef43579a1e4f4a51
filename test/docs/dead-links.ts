/** Finds links of a page that lead nowhere. */
import { existsSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { readPage, type Page } from './markdown.ts';

/** @returns one line for each dead link: page, line, target, what is wrong */
export function deadLinks(root: string, page: Page): string[] {
  const dead: string[] = [];
  for (const { target, line } of page.links) {
    if (/^(https?|mailto):/.test(target)) continue;
    const [file = '', anchor] = target.split('#');
    const path = file === '' ? page.path : relative(root, join(root, dirname(page.path), decodeURIComponent(file)));
    const fault = linkFault(root, path, anchor);
    if (fault !== undefined) dead.push(`${page.path}:${line}: ${target}: ${fault}`);
  }
  return dead;
}

function linkFault(root: string, path: string, anchor: string | undefined): string | undefined {
  if (path.startsWith('..')) return 'leaves the repository';
  const file = join(root, path);
  if (!existsSync(file)) return 'no such file';
  if (anchor === undefined) return undefined;
  if (statSync(file).isDirectory() || !path.endsWith('.md')) return 'an anchor needs a Markdown page';
  return readPage(root, path).anchors.has(anchor) ? undefined : 'no such heading';
}
