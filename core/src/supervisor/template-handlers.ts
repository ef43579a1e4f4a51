import { BoxNetworks, NO_NETWORK } from '../box/box-networks.js';
import { sizingOf } from '../box/box-spec.js';
import { TemplateRecord, type TemplatesServer } from '../gen/a3s/box/supervisor/v1/supervisor.js';
import { inject, injectable } from '../kernel/container.js';
import type { Logger } from '../ports/logger.js';
import { LoggerToken } from '../service-tokens.js';
import { BackendChooser } from '../vm/backend-chooser.js';
import { TemplateLibrary } from '../vm/templates/template-library.js';
import type { StoredTemplate } from '../vm/templates/template-store.js';
import { VmManager } from '../vm/vm-manager.js';
import { unaryHandler } from './grpc-handlers.js';

const NS_PER_MS = 1_000_000n;

/** The Templates service of the supervisor protocol. */
@injectable()
export class TemplateHandlers {
  constructor(
    private readonly templates: TemplateLibrary,
    private readonly vms: VmManager,
    private readonly backends: BackendChooser,
    private readonly networks: BoxNetworks,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  handlers(): TemplatesServer {
    const { templates, logger } = this;
    return {
      list: unaryHandler(logger, async () => ({ templates: (await templates.list()).map(recordOf) })),
      create: unaryHandler(logger, async (request, { signal }) => {
        const network = request.network === '' ? {} : { network: request.network };
        const backend = await this.backends.choose(request.backend || undefined, { signal });
        this.networks.checkName(network, backend);
        const nanoCpus = Number(request.nanoCpus);
        const memoryBytes = Number(request.memoryBytes);
        const sizing = sizingOf({ ...(nanoCpus > 0 && { nanoCpus }), ...(memoryBytes > 0 && { memoryBytes }) });
        const shape = { backend, sizing, network: this.networks.nameOf(network, backend) !== NO_NETWORK };
        return { key: await this.vms.makeTemplate(shape, { signal }) };
      }),
      remove: unaryHandler(logger, async ({ template }) => {
        const key = await templates.find(template);
        await templates.remove(key);
        return { key };
      }),
      prune: unaryHandler(logger, async ({ keepBytes }) => ({
        removed: (await templates.prune(Number(keepBytes))).map(recordOf),
      })),
    };
  }
}

function recordOf({ key, manifest, bytes, usedMs }: StoredTemplate): TemplateRecord {
  const common = { key, sizeBytes: BigInt(bytes), usedNs: nanoseconds(usedMs) };
  if (!manifest) return TemplateRecord.create({ ...common, whole: false });
  const { record, version, createdMs } = manifest;
  const { vcpus, memoryBytes, network } = record.shape;
  return TemplateRecord.create({
    ...common,
    whole: true,
    backend: record.backend,
    vcpus,
    memoryBytes: BigInt(memoryBytes),
    network,
    createdNs: nanoseconds(createdMs),
    version,
  });
}

function nanoseconds(ms: number): bigint {
  return BigInt(Math.round(ms)) * NS_PER_MS;
}
