import { chmod, rm } from 'node:fs/promises';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { BoxService } from '../box/box-service.js';
import { BoxError } from '../errors/box-error.js';
import { BoxesService, ImagesService, SupervisorService } from '../gen/a3s/box/supervisor/v1/supervisor.js';
import type { ImageStore } from '../ports/image-store.js';
import type { Logger } from '../ports/logger.js';
import type { BackendChooser } from '../vm/backend-chooser.js';
import { boxHandlers } from './box-handlers.js';
import { CallCounter } from './call-counter.js';
import type { EmulationNotice } from './emulation-notice.js';
import { imageHandlers } from './image-handlers.js';
import { supervisorHandlers, type SupervisorSelf } from './supervisor-handlers.js';

/** Streams carry files; a message is never larger than this, bytes. */
const MESSAGE_LIMIT = 16 * 1024 * 1024;
const STREAM_WINDOW = 1024 * 1024;
/** How long calls may take to finish when the supervisor ends. */
const SHUTDOWN_LIMIT_MS = 5000;

export interface SupervisorServices {
  readonly boxes: BoxService;
  readonly images: ImageStore;
  readonly backends: BackendChooser;
  readonly notice: EmulationNotice;
  readonly logger: Logger;
}

/** Serves the supervisor protocol on a Unix socket that only its owner can open. */
export class SupervisorServer implements AsyncDisposable {
  readonly #calls: CallCounter;
  readonly #server: Server;

  /** @param activity is called when a call began or ended */
  constructor(services: SupervisorServices, self: SupervisorSelf, activity: () => void) {
    const { boxes, images, backends, notice, logger } = services;
    this.#calls = new CallCounter(activity);
    this.#server = new Server({
      interceptors: [this.#calls.interceptor],
      'grpc.max_receive_message_length': MESSAGE_LIMIT,
      'grpc-node.flow_control_window': STREAM_WINDOW,
    });
    this.#server.addService(SupervisorService, supervisorHandlers(self, backends, logger));
    this.#server.addService(
      BoxesService,
      boxHandlers(boxes, (backend, operation) => notice.for(backend, operation), logger),
    );
    this.#server.addService(ImagesService, imageHandlers(images, logger));
  }

  /** How many calls are being worked on. */
  get activeCalls(): number {
    return this.#calls.active;
  }

  /** @param socket absolute path; what an earlier supervisor left there is removed */
  async listen(socket: string): Promise<void> {
    await rm(socket, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (cause) => {
        if (cause) reject(new BoxError('HOME_UNUSABLE', `the supervisor cannot listen on ${socket}`, { cause }));
        else resolve();
      });
    });
    // The directory's mode keeps others out until then.
    await chmod(socket, 0o600);
  }

  /** Lets the calls that are being worked on finish, for a while, and takes no new ones. */
  async [Symbol.asyncDispose](): Promise<void> {
    const limit = setTimeout(() => this.#server.forceShutdown(), SHUTDOWN_LIMIT_MS);
    await new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    clearTimeout(limit);
  }
}
