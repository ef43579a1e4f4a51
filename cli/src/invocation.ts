import type { SupervisorCommand } from '@a3s-box/core/client';
import type { Command } from './command.js';
import type { Variables } from './grammar/environment.js';
import type { Timeline } from './timeline.js';

/** What a run of the CLI knows of its surroundings. */
export interface Invocation {
  /** Of the CLI, semantic version. */
  readonly version: string;
  /** Absolute path of A3S_BOX_HOME. */
  readonly home: string;
  readonly supervisor: SupervisorCommand;
  /** Variables of the caller. */
  readonly environment: Variables;
  readonly timeline: Timeline;
  /** The CLI's own. */
  readonly commands: readonly Command[];
}
