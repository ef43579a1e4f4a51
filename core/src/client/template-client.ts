import { TemplatesService } from '../gen/a3s/box/supervisor/v1/supervisor.js';
import type { BoxSpec } from '../box/box-spec.js';
import type { CallOptions } from './call-options.js';
import { templateFrom, wholeNumber } from './record-conversion.js';
import type { TemplateRecord } from './records.js';
import type { SupervisorConnection } from './supervisor-connection.js';

/** What a template is for: boxes with the same values. */
export type TemplateShape = Pick<BoxSpec, 'nanoCpus' | 'memoryBytes' | 'network' | 'backend'>;

/** The templates of a home: booted guests that boxes are cloned from. Errors as of `BoxClient`. */
export class TemplateClient {
  readonly #connection: SupervisorConnection;

  /** @param connection stays the caller's */
  constructor(connection: SupervisorConnection) {
    this.#connection = connection;
  }

  /** Used last first. */
  async list({ signal }: CallOptions = {}): Promise<TemplateRecord[]> {
    return (await this.#connection.call(TemplatesService.list, {}, signal)).templates.map(templateFrom);
  }

  /** Makes the template for boxes of a shape; where it is there, nothing is done. @returns its key */
  async create(shape: TemplateShape = {}, { signal }: CallOptions = {}): Promise<string> {
    const { nanoCpus = 0, memoryBytes = 0, network = '', backend = '' } = shape;
    const request = {
      nanoCpus: wholeNumber(nanoCpus, 'CPUs in billionths'),
      memoryBytes: wholeNumber(memoryBytes, 'memory'),
      network,
      backend,
    };
    return (await this.#connection.call(TemplatesService.create, request, signal)).key;
  }

  /** @param template key or unique prefix of it @returns its key @throws NOT_FOUND, AMBIGUOUS_REFERENCE */
  async remove(template: string, { signal }: CallOptions = {}): Promise<string> {
    return (await this.#connection.call(TemplatesService.remove, { template }, signal)).key;
  }

  /** Removes those used least recently until the rest takes at most so many bytes. @returns what was removed */
  async prune(keepBytes = 0, { signal }: CallOptions = {}): Promise<TemplateRecord[]> {
    const request = { keepBytes: wholeNumber(keepBytes, 'size to keep') };
    return (await this.#connection.call(TemplatesService.prune, request, signal)).removed.map(templateFrom);
  }
}
