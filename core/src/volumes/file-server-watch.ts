import { openProcess } from '@a3s-box/native';
import type { ProcessIdentity } from '../ports/hypervisor.js';

/** A box's file server, as far as its end concerns the box. */
export interface FileServerWatch extends Disposable {
  /** Resolves with what is known of its end. Never rejects. */
  readonly gone: Promise<string>;
}

/** Watches a file server that an earlier supervisor started. Disposing leaves it alone, and `gone` unsettled. */
export function watchFileServer({ pid, startTime }: ProcessIdentity): FileServerWatch {
  const handle = openProcess(pid, startTime);
  if (!handle) return { gone: Promise.resolve('while no supervisor was there'), [Symbol.dispose]: () => {} };
  const gone = new Promise<string>((resolve) => handle.watch(() => resolve('how is not known')));
  return { gone, [Symbol.dispose]: () => handle.close() };
}
