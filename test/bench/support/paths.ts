import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../../..');
/** The command as users run it. */
export const BIN = join(ROOT, 'cli/bin/a3s-box');
