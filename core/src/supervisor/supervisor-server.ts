import { chmod } from 'node:fs/promises';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { auditCalls } from '../audit/audit-interceptor.js';
import { AuditLog } from '../audit/audit-log.js';
import type { Box } from '../box/box.js';
import { BoxLogs } from '../box/box-logs.js';
import { BoxService } from '../box/box-service.js';
import { inject, injectable } from '../kernel/container.js';
import { BoxError } from '../errors/box-error.js';
import { EventLog } from '../events/event-log.js';
import {
  BoxesService,
  ImagesService,
  SupervisorService,
  TemplatesService,
} from '../gen/a3s/box/supervisor/v1/supervisor.js';
import { LifecycleService } from '../gen/a3s/box/supervisor/v1/lifecycle.js';
import { RegistriesService } from '../gen/a3s/box/supervisor/v1/registries.js';
import { VolumesService } from '../gen/a3s/box/supervisor/v1/volumes.js';
import { WatchingService } from '../gen/a3s/box/supervisor/v1/watching.js';
import { SignaturesService } from '../gen/a3s/box/supervisor/v1/signatures.js';
import { SnapshotsService } from '../gen/a3s/box/supervisor/v1/snapshots.js';
import { FilesService } from '../gen/a3s/box/supervisor/v1/files.js';
import { hostPlatform } from '../platform/host-platform.js';
import { removeEndpoint } from '../platform/endpoint-file.js';
import type { HostPlatform } from '../platform/platform.js';
import type { ImageStore } from '../ports/image-store.js';
import type { Logger } from '../ports/logger.js';
import { ImageStoreToken, LoggerToken, SupervisorSelfToken } from '../service-tokens.js';
import { RegistryFiles } from '../registries/registry-files.js';
import { SnapshotStore } from '../snapshots/snapshot-store.js';
import { HomeLayout } from '../store/home-layout.js';
import { BackendChooser } from '../vm/backend-chooser.js';
import { boxHandlers } from './box-handlers.js';
import { Activity } from './activity.js';
import { countCalls } from './count-calls.js';
import { EmulationNotice } from './emulation-notice.js';
import { SnapshotHandlers } from './snapshot-handlers.js';
import { FilesHandlers } from './files-handlers.js';
import { imageHandlers } from './image-handlers.js';
import { RegistryHandlers } from './registry-handlers.js';
import { SignatureHandlers } from './signature-handlers.js';
import { LifecycleHandlers } from './lifecycle-handlers.js';
import { supervisorHandlers } from './supervisor-handlers.js';
import { TemplateHandlers } from './template-handlers.js';
import { VolumeHandlers } from './volume-handlers.js';
import { WatchingHandlers } from './watching-handlers.js';
import type { SupervisorSelf } from './supervisor-self.js';

/** Streams carry files; a message is never larger than this, bytes. */
const MESSAGE_LIMIT = 16 * 1024 * 1024;
const STREAM_WINDOW = 1024 * 1024;
/** How long calls may take to finish when the supervisor ends. */
const SHUTDOWN_LIMIT_MS = 1000;

/** As far as the audit record needs it: of several that are meant, any. */
function isBox(reference: string): (box: Box) => boolean {
  return ({ id, name }) => name === reference || (reference !== '' && id.startsWith(reference));
}

/** Serves the supervisor protocol where only its owner can connect: a Unix socket, or a named pipe. */
@injectable()
export class SupervisorServer implements AsyncDisposable {
  readonly #server: Server;

  constructor(
    boxes: BoxService,
    logs: BoxLogs,
    backends: BackendChooser,
    notice: EmulationNotice,
    templates: TemplateHandlers,
    lifecycle: LifecycleHandlers,
    volumes: VolumeHandlers,
    files: FilesHandlers,
    snapshots: SnapshotHandlers,
    watching: WatchingHandlers,
    registries: RegistryHandlers,
    signatures: SignatureHandlers,
    registryFiles: RegistryFiles,
    home: HomeLayout,
    events: EventLog,
    audit: AuditLog,
    store: SnapshotStore,
    activity: Activity,
    @inject(ImageStoreToken) images: ImageStore,
    @inject(SupervisorSelfToken) self: SupervisorSelf,
    @inject(LoggerToken) logger: Logger,
  ) {
    this.#server = new Server({
      interceptors: [
        auditCalls({ log: audit, idOf: (reference) => boxes.list().find(isBox(reference))?.id }),
        countCalls(activity),
      ],
      'grpc.max_receive_message_length': MESSAGE_LIMIT,
      'grpc-node.flow_control_window': STREAM_WINDOW,
    });
    this.#server.addService(SupervisorService, supervisorHandlers(self, backends, logger));
    this.#server.addService(BoxesService, boxHandlers({ boxes, logs, notice, logger }));
    this.#server.addService(LifecycleService, lifecycle.handlers());
    this.#server.addService(TemplatesService, templates.handlers());
    this.#server.addService(VolumesService, volumes.handlers());
    this.#server.addService(FilesService, files.handlers());
    this.#server.addService(SnapshotsService, snapshots.handlers());
    this.#server.addService(WatchingService, watching.handlers());
    this.#server.addService(RegistriesService, registries.handlers());
    this.#server.addService(SignaturesService, signatures.handlers());
    this.#server.addService(
      ImagesService,
      imageHandlers({ images, boxes, snapshots: store, registries: registryFiles, home, events, logger }),
    );
  }

  /** @param socket address of an endpoint; what an earlier supervisor left there is removed */
  async listen(socket: string, platform: HostPlatform = hostPlatform()): Promise<void> {
    await removeEndpoint(platform, socket);
    await new Promise<void>((resolve, reject) => {
      this.#server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (cause) => {
        if (cause) reject(new BoxError('HOME_UNUSABLE', `the supervisor cannot listen on ${socket}`, { cause }));
        else resolve();
      });
    });
    // The directory's mode keeps others out until then.
    if (platform.endpointsAreFiles) await chmod(socket, 0o600);
  }

  /** Lets the calls that are being worked on finish, for a while, and takes no new ones. */
  async [Symbol.asyncDispose](): Promise<void> {
    const limit = setTimeout(() => this.#server.forceShutdown(), SHUTDOWN_LIMIT_MS);
    await new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    clearTimeout(limit);
  }
}
