import { SUPERVISOR_PROTOCOL_MINOR } from '../client/protocol-version.js';
import { asBoxError } from '../errors/as-box-error.js';
import { InfoResponse, type SupervisorServer } from '../gen/a3s/box/supervisor/v1/supervisor.js';
import type { Logger } from '../ports/logger.js';
import type { Operation } from '../ports/operation.js';
import type { BackendChooser } from '../vm/backend-chooser.js';
import { unaryHandler } from './grpc-handlers.js';
import { backendOf } from './messages.js';
import type { SupervisorSelf } from './supervisor-self.js';

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
