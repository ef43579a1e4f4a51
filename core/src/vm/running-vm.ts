import { AgentService, EventsRequest, ShutdownRequest, type Event } from '../gen/a3s/box/agent/v1/agent.js';
import { Metadata } from '@grpc/grpc-js';
import type { AgentSession } from '../guest/agent-session.js';
import type { Vm, VmExit } from '../ports/hypervisor.js';

/** A VM whose guest has answered. Belongs to who started it; ends by {@link RunningVm.shutDown} or `kill`. */
export class RunningVm {
  /**
   * @param nextKey opens the next session
   * @param origin how its guest got to where it answered; `unknown` for one that was taken over
   */
  constructor(
    readonly vm: Vm,
    readonly session: AgentSession,
    readonly nextKey: Buffer,
    readonly origin: 'boot' | 'clone' | 'unknown',
  ) {}

  /** Resolves when the VMM is gone. Never rejects. */
  get exited(): Promise<VmExit> {
    return this.vm.exited;
  }

  /** Everything that happens in the guest, from its start; ends with the session. */
  async *events(): AsyncGenerator<Event, void, void> {
    const { path, requestSerialize, responseDeserialize } = AgentService.events;
    const call = this.session.client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      new Metadata(),
      {},
    );
    call.write(EventsRequest.create({ acknowledge: 0n }));
    for await (const event of call as AsyncIterable<Event>) {
      call.write(EventsRequest.create({ acknowledge: event.sequence }));
      yield event;
    }
  }

  /**
   * Ends the guest cleanly: its processes, its file systems, its power. Where it does not answer in time the VMM is
   * killed.
   *
   * @param graceMs how long processes may take between SIGTERM and SIGKILL
   * @param signal the limit after which the VMM is killed
   * @returns whether the guest said goodbye
   */
  async shutDown(graceMs: number, signal: AbortSignal): Promise<boolean> {
    const goodbye = await this.#sayGoodbye(graceMs, signal);
    this.session[Symbol.dispose]();
    if (!goodbye) await this.vm.kill();
    const expired = Promise.withResolvers<void>();
    const onAbort = () => expired.resolve();
    signal.addEventListener('abort', onAbort, { once: true });
    await Promise.race([this.vm.exited, expired.promise]);
    signal.removeEventListener('abort', onAbort);
    await this.vm.kill();
    return goodbye;
  }

  /** Lets go of guest and VMM, which go on. */
  async leave(): Promise<void> {
    this.session[Symbol.dispose]();
    await this.vm.close();
  }

  /** Ends the VMM at once. For boxes whose disks nobody will read again. */
  async kill(): Promise<void> {
    this.session[Symbol.dispose]();
    await this.vm.kill();
  }

  async #sayGoodbye(graceMs: number, signal: AbortSignal): Promise<boolean> {
    try {
      await this.session.call(AgentService.shutdown, ShutdownRequest.create({ graceMs }), signal);
      return true;
    } catch {
      // Not answered: the caller kills the VMM, and the box is recorded as ended without a goodbye.
      return false;
    }
  }
}
