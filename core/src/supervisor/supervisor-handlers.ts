import { SUPERVISOR_PROTOCOL_MINOR } from '../client/protocol-version.js';
import { asBoxError } from '../errors/as-box-error.js';
import { BoxError } from '../errors/box-error.js';
import { InfoResponse, type PluginRecord, type SupervisorServer } from '../gen/a3s/box/supervisor/v1/supervisor.js';
import type { Logger } from '../ports/logger.js';
import type { Operation } from '../ports/operation.js';
import type { BackendChooser } from '../vm/backend-chooser.js';
import { unaryHandler } from './grpc-handlers.js';
import { backendOf } from './messages.js';

/** What a supervisor tells of itself, and how it is ended. */
export interface SupervisorSelf {
  /** Process id. */
  readonly pid: number;
  /** Absolute path of the home. */
  readonly home: string;
  /** Semantic version. */
  readonly version: string;
  readonly plugins: readonly PluginRecord[];
  /** Number of boxes. */
  boxes(): number;
  /** Ends the supervisor once the present calls are answered. */
  stop(): void;
}

/** The Supervisor service of the supervisor protocol. */
export function supervisorHandlers(self: SupervisorSelf, backends: BackendChooser, logger: Logger): SupervisorServer {
  return {
    hello: unaryHandler(logger, () => ({
      protocolMinor: SUPERVISOR_PROTOCOL_MINOR,
      version: self.version,
      pid: self.pid,
      home: self.home,
    })),
    info: unaryHandler(logger, async (_request, context) =>
      InfoResponse.create({
        supervisorPid: self.pid,
        home: self.home,
        version: self.version,
        backends: (await backends.probeAll(context)).map(backendOf),
        plugins: [...self.plugins],
        ...(await choiceOf(backends, context)),
      }),
    ),
    stop: unaryHandler(logger, () => {
      const count = self.boxes();
      if (count > 0) {
        throw new BoxError('CONFLICT', `the supervisor has ${count} boxes`, { hint: 'stop and remove them first' });
      }
      self.stop();
      return {};
    }),
  };
}

async function choiceOf(backends: BackendChooser, operation: Operation) {
  try {
    const { hypervisor, reason } = await backends.choose(undefined, operation);
    return { chosenBackend: hypervisor.name, choiceReason: reason };
  } catch (error) {
    return { chosenBackend: '', choiceReason: asBoxError(error).message };
  }
}
