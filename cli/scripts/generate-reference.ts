/** Writes docs/cli-reference.md, docs/flags.md and the snapshot of all flags. Run after tsc: `npm run reference -w cli`. */
import { writeFileSync } from 'node:fs';
import { flagSnapshot, REFERENCE_FILE, referencePage, SNAPSHOT_FILE } from './cli-reference.ts';
import { FLAG_PAGE_FILE, flagPage } from './flag-page.ts';

writeFileSync(REFERENCE_FILE, await referencePage());
writeFileSync(FLAG_PAGE_FILE, await flagPage());
writeFileSync(SNAPSHOT_FILE, flagSnapshot());
