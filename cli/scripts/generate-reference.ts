/** Writes docs/cli-reference.md and the snapshot of all flags. Run after tsc: `npm run reference -w cli`. */
import { writeFileSync } from 'node:fs';
import { flagSnapshot, REFERENCE_FILE, referencePage, SNAPSHOT_FILE } from './cli-reference.ts';

writeFileSync(REFERENCE_FILE, await referencePage());
writeFileSync(SNAPSHOT_FILE, flagSnapshot());
