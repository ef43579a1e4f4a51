import { setTimeout as delay } from 'node:timers/promises';
import { asBoxError } from '../errors/as-box-error.js';
import { inject, injectable } from '../kernel/container.js';
import type { Logger } from '../ports/logger.js';
import { LoggerToken } from '../service-tokens.js';
import { nowNs, type Box, type ExecProcess } from './box.js';
import { BoxRecords } from './box-records.js';
import type { BoxFollower } from './box-requests.js';
import { BoxService } from './box-service.js';
import { orAborted } from './or-aborted.js';
import { delayOf, healthCheckOf, judge, NEW_HEALTH, type HealthCheck, type HealthResult } from './health-check.js';

/** As much of a probe's output is kept as in Docker, bytes. */
const KEPT_OUTPUT = 4096;
const SIGKILL = 9;
const NS_PER_MS = 1_000_000n;

/** Asks boxes that have a health check whether they are well, as long as they run. */
@injectable()
export class BoxHealth implements BoxFollower, Disposable {
  readonly #closed = new AbortController();

  constructor(
    private readonly boxes: BoxService,
    private readonly records: BoxRecords,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  onRun(box: Box): void {
    const check = healthCheckOf(box.spec, box.image.config.healthcheck);
    if (!check) return;
    const ended = new AbortController();
    const end = () => ended.abort();
    box.ended.then(end, end);
    const signal = AbortSignal.any([ended.signal, this.#closed.signal]);
    this.#watch(box, check, signal).catch((error: unknown) => {
      if (!signal.aborted) this.logger.error({ box: box.id, error }, 'a health check ended');
    });
  }

  [Symbol.dispose](): void {
    this.#closed.abort();
  }

  async #watch(box: Box, check: HealthCheck, signal: AbortSignal): Promise<void> {
    await box.started;
    for (;;) {
      await delay(delayOf(box.health ?? NEW_HEALTH, check, runningMs(box)), undefined, { signal, ref: false });
      // One that stands still is neither well nor ill.
      if (box.state.kind !== 'running') continue;
      const sinceStartMs = runningMs(box);
      const result = await this.#probe(box, check, signal);
      signal.throwIfAborted();
      const health = judge(box.health ?? NEW_HEALTH, check, result, sinceStartMs);
      if (health.status !== box.health?.status) {
        this.logger.info({ box: box.id, status: health.status }, 'the health of a box has changed');
      }
      this.#note(box, health);
    }
  }

  async #probe(box: Box, { command, timeoutMs }: HealthCheck, signal: AbortSignal): Promise<HealthResult> {
    const startNs = String(nowNs());
    const output = new Output();
    const result = (exitCode: number, text: string): HealthResult => ({
      startNs,
      endNs: String(nowNs()),
      exitCode,
      output: text,
    });
    const late = AbortSignal.timeout(timeoutMs);
    const either = AbortSignal.any([signal, late]);
    let exec: ExecProcess | undefined;
    try {
      const spec = { command, environment: [], terminal: false, stdinOpen: false, detached: false, untold: true };
      exec = await this.boxes.exec(box, spec, { signal: either });
      exec.io.addSink(async ({ data }) => output.add(data));
      exec.io.read();
      const { code } = await orAborted(exec.io.drained, either);
      return result(code, output.text);
    } catch (error) {
      signal.throwIfAborted();
      if (!late.aborted) return result(-1, asBoxError(error).message);
      if (exec) await this.#kill(box, exec.id);
      return result(-1, `Health check exceeded timeout (${timeoutMs}ms)${output.text && `: ${output.text}`}`);
    }
  }

  async #kill(box: Box, execId: string): Promise<void> {
    try {
      await this.boxes.signal(box, execId, SIGKILL, { signal: this.#closed.signal });
    } catch (error) {
      this.logger.debug({ box: box.id, error }, 'a health check that took too long could not be ended');
    }
  }

  /** A disk without room keeps nobody from knowing it. */
  #note(box: Box, health: NonNullable<Box['health']>): void {
    try {
      this.records.amend(box, { health });
    } catch (error) {
      box.health = health;
      this.logger.warn({ box: box.id, error }, 'the health of a box could not be written down');
    }
  }
}

/** The first bytes of what a probe writes. */
class Output {
  readonly #pieces: Buffer[] = [];
  #bytes = 0;

  add(data: Buffer): void {
    const piece = data.subarray(0, KEPT_OUTPUT - this.#bytes);
    this.#pieces.push(piece);
    this.#bytes += piece.length;
  }

  get text(): string {
    return Buffer.concat(this.#pieces).toString();
  }
}

function runningMs({ state }: Box): number {
  return 'run' in state ? Number((nowNs() - state.run.startedNs) / NS_PER_MS) : 0;
}
