import { BoxError } from '@a3s-box/core';
import type { KrunStatus } from '@a3s-box/native';

/** What the launcher said of its start. */
export type LauncherOutcome = { readonly kind: 'running' } | { readonly kind: 'failed'; readonly status?: KrunStatus };

/**
 * Reads the launcher's lines (native/launcher/krun/status.schema.json) until one of them, or their end, decides.
 * @param last the launcher's last word on this system when all goes well; absent where that says too little
 */
export async function readOutcome(lines: AsyncIterable<Buffer | string>, last?: 'running'): Promise<LauncherOutcome> {
  let text = '';
  for await (const chunk of lines) {
    const complete = (text + String(chunk)).split('\n');
    text = complete.pop() ?? '';
    for (const line of complete) {
      const status = JSON.parse(line) as KrunStatus;
      if (status.step === last) return { kind: 'running' };
      if (status.step !== 'entering' && status.step !== 'running') return { kind: 'failed', status };
    }
  }
  return { kind: 'failed' };
}

const HINTS: Readonly<Partial<Record<KrunStatus['step'], string>>> = {
  library: 'install libkrun 1.17 or a later 1.x, or its npm package; `a3s-box info` shows where it was looked for',
  symbol: 'install libkrun 1.17 or a later 1.x',
  feature: 'install a libkrun that was built with BLK=1 NET=1',
};

/** The error for a launcher that started no machine. @param stderr what it and libkrun wrote there */
export function startError(id: string, status: KrunStatus | undefined, stderr: string): BoxError {
  const said = stderr.trim();
  const reason = [status?.message, said].filter((part) => part !== undefined && part !== '').join('; ');
  const hint = status && HINTS[status.step];
  return new BoxError('VM_START_FAILED', `the VMM of ${id} ended before it ran${reason === '' ? '' : `: ${reason}`}`, {
    ...(hint !== undefined && { hint }),
    details: { ...(status && { step: status.step, subject: status.subject, errno: status.errno }), stderr },
  });
}
