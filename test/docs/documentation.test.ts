import assert from 'node:assert/strict';
import { globSync, existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { rejection } from './cli-surface.ts';
import { deadLinks } from './dead-links.ts';
import { findPages, readPage } from './markdown.ts';
import { shownCommands } from './shown-commands.ts';

const root = join(import.meta.dirname, '../..');

/** Pages that readers are promised. */
const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'docs/README.md',
  'docs/quick-start.md',
  'docs/cli-reference.md',
  'docs/architecture.md',
  'docs/plugin-authors.md',
  'docs/compatibility.md',
  'docs/platforms.md',
  'docs/verification.md',
];
const README_SECTIONS = ['status-at-a-glance', 'mental-model', 'product-boundaries'];
const STATUS_ROWS = [
  'CLI runtime',
  'Images',
  'Dockerfile build',
  'Networking',
  'Compose',
  'TEE',
  'Kubernetes CRI',
  'Windows',
  'macOS',
];

describe('documentation', () => {
  for (const page of PAGES) {
    it(`has ${page}`, () => assert.ok(existsSync(join(root, page))));
  }

  it('has decision records', () => {
    assert.notEqual(globSync('docs/adr/*.md', { cwd: root }).length, 0);
  });

  it('has the sections of the README and every row of its status table', () => {
    const page = readPage(root, 'README.md');
    for (const section of README_SECTIONS) assert.ok(page.anchors.has(section), section);
    const text = page.tableRows.map((row) => row[0]);
    assert.deepEqual(
      STATUS_ROWS.filter((row) => !text.includes(row)),
      [],
    );
  });

  it('has no dead link', () => {
    const pages = findPages(root).map((path) => readPage(root, path));
    assert.deepEqual(
      pages.flatMap((page) => deadLinks(root, page)),
      [],
    );
  });

  it('links every page of docs from another page', () => {
    const linked = new Set<string>();
    for (const path of findPages(root)) {
      for (const { target } of readPage(root, path).links) {
        const file = target.split('#')[0] ?? '';
        if (file !== '') linked.add(relative(root, join(root, dirname(path), file)));
      }
    }
    const covered = (path: string): boolean => linked.has(path) || linked.has(dirname(path));
    const unlinked = findPages(root).filter((path) => path.startsWith('docs/') && !covered(path));
    assert.deepEqual(unlinked, []);
  });

  it('shows no command that the CLI does not know', () => {
    const unknown: string[] = [];
    let checked = 0;
    for (const path of findPages(root)) {
      // A package's own page may quote text that only looks like a command.
      if (!path.startsWith('docs/') && path.includes('/')) continue;
      for (const { argv, line } of shownCommands(readPage(root, path))) {
        checked++;
        const why = rejection(argv);
        if (why !== undefined) unknown.push(`${path}:${line}: a3s-box ${argv.join(' ')}: ${why}`);
      }
    }
    assert.deepEqual(unknown, []);
    assert.ok(checked > 5, `${checked} commands found`);
  });
});
