import { BoxError } from '../errors/box-error.js';
import { AgentService, SetTimeRequest } from '../gen/a3s/box/agent/v1/agent.js';
import { nowNs } from './box.js';
import type { BoxMachine } from './box-machines.js';

/** A machine that was made ahead for a box that is to come, and is still being made at first. */
export class Spare {
  readonly #making: Promise<BoxMachine>;
  readonly #givenUp = new AbortController();

  /**
   * @param id full id of the box that it can become
   * @param make makes it, up to where it stands still
   * @param free frees what the ledger has of it
   */
  constructor(
    readonly id: string,
    make: (signal: AbortSignal) => Promise<BoxMachine>,
    private readonly free: () => Promise<void>,
  ) {
    this.#making = make(this.#givenUp.signal);
  }

  /** Resolves when it is ready, or cannot become so. Never rejects. */
  get settled(): Promise<{ readonly error?: unknown }> {
    return this.#making.then(
      () => ({}),
      (error: unknown) => ({ error }),
    );
  }

  /**
   * Lets the guest go on, with the right time. Failed: nothing of it runs any more.
   * @throws TEMPLATE_UNUSABLE when it cannot be had after all, CANCELLED
   */
  async wake(signal: AbortSignal): Promise<BoxMachine> {
    const giveUp = (): void => this.#givenUp.abort();
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      const machine = await this.#making;
      try {
        signal.throwIfAborted();
        await machine.vm.vm.resume({ signal });
        const request = SetTimeRequest.create({ hostTimeNs: nowNs() });
        await machine.vm.session.call(AgentService.setTime, request, signal);
        return machine;
      } catch (error) {
        await machine.end();
        throw error;
      }
    } catch (cause) {
      signal.throwIfAborted();
      throw new BoxError('TEMPLATE_UNUSABLE', 'a machine that was made ahead cannot be used', { cause });
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  /** Ends it, ready or not, and frees what it had. For one that no box has taken. */
  async end(): Promise<void> {
    this.#givenUp.abort();
    const machine = await this.#making.catch(() => undefined);
    await machine?.end();
    await this.free();
  }
}

/** Prepares what a spare is taken for. Failed: the spare is ended. */
export async function orEnd(spare: Spare | undefined, prepare: (() => Promise<void>) | undefined): Promise<void> {
  try {
    await prepare?.();
  } catch (error) {
    await spare?.end();
    throw error;
  }
}
