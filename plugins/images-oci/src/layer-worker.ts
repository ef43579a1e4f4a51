/** Entry of the worker threads that make layers; `layer-workers.ts` is the other side. */
import { parentPort } from 'node:worker_threads';
import { runLayerJob } from './layer-job.js';
import { PortSource, type ToWorker } from './worker-stream.js';
import { mergeJob } from './merge-job.js';
import { packError } from './worker-error.js';

const port = parentPort;
let source: PortSource | undefined;

port?.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'layer': {
      const current = new PortSource((buffer, length) =>
        port.postMessage({ kind: 'consumed', buffer, length }, [buffer]),
      );
      source = current;
      runLayerJob(current, message.job).then(
        (result) => port.postMessage({ kind: 'done', result }),
        (error: unknown) => port.postMessage({ kind: 'failed', error: packError(error) }),
      );
      return;
    }
    case 'merge':
      mergeJob(message.job).then(
        (result) => port.postMessage({ kind: 'done', result }),
        (error: unknown) => port.postMessage({ kind: 'failed', error: packError(error) }),
      );
      return;
    case 'chunk':
      source?.push(message.buffer, message.length);
      return;
    case 'end':
      source?.end();
  }
});
