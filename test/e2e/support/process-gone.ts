import { readFile } from 'node:fs/promises';

/** Resolves when there is no such process. Ends of others' children are not told, so the directory is asked. */
export async function processGone(pid: number): Promise<void> {
  for (;;) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
    if (stat === undefined || / [ZX] /.test(stat.slice(stat.lastIndexOf(')')))) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
