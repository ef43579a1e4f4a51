import type { Box } from '../box/box.js';
import type { BoxLogs } from '../box/box-logs.js';
import type { BoxService } from '../box/box-service.js';
import { stopTimeoutOf } from '../box/container-options.js';
import type { BoxesServer } from '../gen/a3s/box/supervisor/v1/supervisor.js';
import { BoxError } from '../errors/box-error.js';
import type { Logger } from '../ports/logger.js';
import type { EmulationNotice } from './emulation-notice.js';
import { handleAttach } from './attach-handler.js';
import { unaryHandler } from './grpc-handlers.js';
import { handleLogs } from './logs-handler.js';
import { handleRun } from './run-handler.js';
import { boxRecordOf, boxSpecFrom, execSpecFrom, exitStatusOf } from './messages.js';

export interface BoxHandlerParts {
  readonly boxes: BoxService;
  readonly logs: BoxLogs;
  readonly notice: EmulationNotice;
  readonly logger: Logger;
}

/** The Boxes service of the supervisor protocol. */
export function boxHandlers({ boxes, logs, notice, logger }: BoxHandlerParts): BoxesServer {
  const record = (box: Box) => boxRecordOf(box, { network: boxes.networkOf(box), logPath: logs.pathOf(box) });
  return {
    run: (call) => void handleRun(boxes, notice, call),
    logs: (call) => void handleLogs(boxes, logs, call),
    create: unaryHandler(logger, async ({ spec }, context) => {
      const box = await boxes.create(boxSpecFrom(spec), context);
      return { id: box.id, name: box.name, notices: await notice.for(box.spec, context) };
    }),
    start: unaryHandler(logger, async ({ box }) => {
      await boxes.start(boxes.find(box));
      return {};
    }),
    exec: unaryHandler(logger, async (request, context) => {
      const exec = await boxes.exec(boxes.find(request.box), execSpecFrom(request), context);
      return { execId: exec.id };
    }),
    attach: (call) => void handleAttach(boxes, call),
    signal: unaryHandler(logger, async ({ box, execId, signal }, context) => {
      await boxes.signal(boxes.find(box), execId, signal, context);
      return {};
    }),
    resize: unaryHandler(logger, async ({ box, execId, size }, context) => {
      if (!size) throw new BoxError('INVALID_ARGUMENT', 'resize: the request carries no size');
      await boxes.resize(boxes.find(box), execId, size, context);
      return {};
    }),
    wait: unaryHandler(logger, async ({ box }) => exitStatusOf(await boxes.find(box).ended)),
    stop: unaryHandler(logger, async ({ box, graceMs, signal }) => {
      const found = boxes.find(box);
      const limit = graceMs ?? stopTimeoutOf(found.spec.options);
      await boxes.stop(found, { graceMs: limit, ...(signal !== '' && { signal }) });
      return {};
    }),
    remove: unaryHandler(logger, async ({ box, force, volumes }) => {
      await boxes.remove(boxes.find(box), { force, volumes });
      return {};
    }),
    inspect: unaryHandler(logger, ({ box }) => record(boxes.find(box))),
    list: unaryHandler(logger, ({ all }) => ({
      boxes: boxes
        .list()
        .filter((box) => all || box.live || box.restarting)
        .map(record),
    })),
    trace: unaryHandler(logger, ({ box }) => ({ spans: [...boxes.trace(box)] })),
  };
}
