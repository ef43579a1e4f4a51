import { asBoxError } from '../errors/as-box-error.js';
import { BoxError } from '../errors/box-error.js';
import { InfoResponse, type HelloRequest, type SupervisorServer } from '../gen/a3s/box/supervisor/v1/supervisor.js';
import type { Logger } from '../ports/logger.js';
import type { Operation } from '../ports/operation.js';
import type { BackendChooser } from '../vm/backend-chooser.js';
import { unaryHandler } from './grpc-handlers.js';
import { backendOf } from './messages.js';
import type { SupervisorSelf } from './supervisor-self.js';

/** The Supervisor service of the supervisor protocol. */
export function supervisorHandlers(self: SupervisorSelf, backends: BackendChooser, logger: Logger): SupervisorServer {
  return {
    hello: unaryHandler(logger, (request) => {
      checkClient(self, request);
      const { protocolMinor, version, pid, home } = self;
      return { protocolMinor, version, pid, home };
    }),
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
    stop: unaryHandler(logger, async () => {
      await self.stop();
      return {};
    }),
  };
}

/** A newer client is told this supervisor's version, and decides. */
function checkClient(self: SupervisorSelf, { protocolMinor, version, distribution }: HelloRequest): void {
  if (protocolMinor < self.protocolMinor - 1) {
    throw new BoxError(
      'SUPERVISOR_INCOMPATIBLE',
      `client ${version} is too old for the supervisor that runs, ${self.version}`,
      { hint: 'use the a3s-box that started it, or one as new' },
    );
  }
  if (distribution !== '' && distribution !== self.distribution) {
    throw new BoxError(
      'SUPERVISOR_INCOMPATIBLE',
      `the supervisor of ${self.home} runs with the distribution ${self.distribution ?? 'that it found by itself'}, ` +
        `not with ${distribution}`,
      { hint: 'use another A3S_BOX_HOME for it, or end that supervisor first' },
    );
  }
}

async function choiceOf(backends: BackendChooser, operation: Operation) {
  try {
    const { hypervisor, reason } = await backends.choose(undefined, operation);
    return { chosenBackend: hypervisor.name, choiceReason: reason };
  } catch (error) {
    return { chosenBackend: '', choiceReason: asBoxError(error).message };
  }
}
