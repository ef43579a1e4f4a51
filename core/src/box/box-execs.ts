import { randomUUID } from 'node:crypto';
import { BoxError } from '../errors/box-error.js';
import { AttachOpen, ExecService } from '../gen/a3s/box/agent/v1/agent.js';
import { inject, injectable } from '../kernel/container.js';
import type { Logger } from '../ports/logger.js';
import type { Operation } from '../ports/operation.js';
import { LoggerToken } from '../service-tokens.js';
import type { RunningVm } from '../vm/running-vm.js';
import type { Box, ExecProcess } from './box.js';
import { tellOf, tellOfExec } from './box-events.js';
import { BoxRecords } from './box-records.js';
import type { TerminalSize } from './box-spec.js';
import { CONTAINER_ID } from './container-start.js';
import { compileExecProcess, encodeDocument } from './oci-config.js';
import { ProcessIo } from './process-io.js';

/** A process to start in a running box. */
export interface ExecSpec {
  readonly command: readonly string[];
  readonly environment: readonly string[];
  readonly workingDirectory?: string;
  readonly user?: string;
  readonly terminal: boolean;
  readonly terminalSize?: TerminalSize;
  readonly stdinOpen: boolean;
  /** Nobody will attach: output is read and dropped. */
  readonly detached: boolean;
  /** With all capabilities. */
  readonly privileged?: boolean;
  /** The supervisor's own doing, of which no event tells. */
  readonly untold?: boolean;
}

interface KeptExec {
  readonly box: Box;
  readonly vm: RunningVm;
  readonly exec: ExecProcess;
  /** In the ledger. */
  readonly entry: bigint;
  readonly untold: boolean;
}

/** The processes of boxes beside their main ones. */
@injectable()
export class BoxExecs {
  constructor(
    private readonly records: BoxRecords,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  /** @throws INVALID_ARGUMENT, COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE */
  async start(box: Box, vm: RunningVm, spec: ExecSpec, { signal }: Operation): Promise<ExecProcess> {
    if (spec.command.length === 0) throw new BoxError('INVALID_ARGUMENT', 'exec was given no command');
    const { command, untold = false, ...rest } = spec;
    const process = compileExecProcess({ ...rest, args: command }, box.spec, box.image.config, box.hostname);
    const exec: ExecProcess = { id: randomUUID(), terminal: spec.terminal, io: new ProcessIo() };
    const open = AttachOpen.create({
      containerId: CONTAINER_ID,
      processId: exec.id,
      start: { process: encodeDocument(process), stdin: spec.stdinOpen },
    });
    const told = { id: exec.id, command };
    const created = untold ? undefined : tellOfExec(box, told, 'exec_create');
    const entry = this.records.note(box, { kind: 'exec', id: exec.id, untold }, created);
    try {
      await exec.io.open(vm.session, open, signal);
    } catch (error) {
      this.records.strike(box, entry);
      throw error;
    }
    box.execs.set(exec.id, exec);
    if (!untold) this.records.tell(tellOfExec(box, told, 'exec_start'));
    void this.#untilEnd({ box, vm, exec, entry, untold });
    if (spec.detached) exec.io.read();
    return exec;
  }

  /**
   * Goes on reading what the processes write that an earlier supervisor started, or they would wait for that in the end.
   * Whoever was attached to them has gone with it.
   */
  rejoin(box: Box, vm: RunningVm): void {
    for (const { sequence, resource } of this.records.resources(box)) {
      if (resource.kind !== 'exec') continue;
      const exec: ExecProcess = { id: resource.id, terminal: false, io: new ProcessIo() };
      box.execs.set(exec.id, exec);
      void this.#untilEnd({ box, vm, exec, entry: sequence, untold: resource.untold === true });
      exec.io.connect(vm.session, CONTAINER_ID, exec.id);
    }
  }

  async #untilEnd({ box, vm, exec, entry, untold }: KeptExec): Promise<void> {
    let code: number;
    try {
      ({ code } = await exec.io.drained);
    } catch {
      // The session or the VM has ended: the box, or the next supervisor, takes care of what is left.
      return;
    }
    box.execs.delete(exec.id);
    const died = untold ? undefined : tellOf(box, 'exec_die', { execID: exec.id, exitCode: String(code) });
    if (box.state.kind !== 'running') return died && this.records.tell(died);
    try {
      await vm.session.call(ExecService.release, { containerId: CONTAINER_ID, processId: exec.id });
      this.records.strike(box, entry, died);
    } catch (error) {
      this.logger.debug({ box: box.id, exec: exec.id, error }, 'an exec could not be released');
    }
  }
}
