import { BoxError } from '../errors/box-error.js';
import { AttachOpen, type ExitStatus, type OutputOffsets } from '../gen/a3s/box/agent/v1/agent.js';
import type { AgentSession } from '../guest/agent-session.js';
import { ProcessAttachment, type OutputChunk } from '../guest/process-attachment.js';

/** Takes a process's output. A sink that does not return holds the process back once its window is full. */
export type OutputSink = (chunk: OutputChunk) => Promise<void>;

/**
 * The streams of one process, before, while and after it runs: one reader of the guest's output, which it hands to all
 * sinks, and one way to its stdin.
 */
export class ProcessIo {
  readonly #sinks = new Set<OutputSink>();
  readonly #attachment = Promise.withResolvers<ProcessAttachment>();
  readonly #drained = Promise.withResolvers<ExitStatus>();
  #opened: ProcessAttachment | undefined;
  #reading = false;

  constructor() {
    this.#attachment.promise.catch(() => {});
    this.#drained.promise.catch(() => {});
  }

  /** How the process ended, once every sink has taken its last output. Rejects when the guest was lost. */
  get drained(): Promise<ExitStatus> {
    return this.#drained.promise;
  }

  /** Adds a sink from now on. @returns takes it away again */
  addSink(sink: OutputSink): () => void {
    this.#sinks.add(sink);
    return () => this.#sinks.delete(sink);
  }

  /**
   * Joins a process, or starts it with `open.start`, without reading yet: what it writes waits, up to its window.
   * @throws what the guest refuses, CANCELLED
   */
  async open(session: AgentSession, open: AttachOpen, signal: AbortSignal): Promise<void> {
    const attachment = new ProcessAttachment(session, open);
    const cancel = () => attachment.close();
    signal.addEventListener('abort', cancel, { once: true });
    try {
      await attachment.opened;
    } finally {
      signal.removeEventListener('abort', cancel);
    }
    this.#opened = attachment;
    this.#attachment.resolve(attachment);
  }

  /** Starts to read what {@link open} joined. Does nothing the second time. */
  read(): void {
    if (this.#reading || !this.#opened) return;
    this.#reading = true;
    this.#pump(this.#opened).then(this.#drained.resolve, this.#drained.reject);
  }

  /**
   * Joins a process that runs, and starts to read its output.
   * @param from what comes before was taken by an earlier reader; absent: nothing was
   */
  connect(session: AgentSession, containerId: string, processId: string, from?: OutputOffsets): void {
    this.#opened = new ProcessAttachment(session, AttachOpen.create({ containerId, processId, from }));
    this.#attachment.resolve(this.#opened);
    this.read();
  }

  /** The process will never run. */
  abandon(reason: BoxError): void {
    this.#attachment.reject(reason);
    this.#drained.reject(reason);
  }

  /** Writes to stdin; waits for the process to start and for room. @throws what ended the streams */
  async writeStdin(data: Buffer): Promise<void> {
    const attachment = await this.#attachment.promise;
    await attachment.opened;
    await attachment.writeStdin(data);
  }

  async endStdin(): Promise<void> {
    const attachment = await this.#attachment.promise;
    await attachment.opened;
    attachment.endStdin();
  }

  async #pump(attachment: ProcessAttachment): Promise<ExitStatus> {
    for await (const chunk of attachment.output()) {
      await Promise.all([...this.#sinks].map((sink) => sink(chunk)));
    }
    return attachment.exited;
  }
}
