import type { PluginRecord } from '../gen/a3s/box/supervisor/v1/supervisor.js';

/** What a supervisor tells of itself, and how it is ended. */
export interface SupervisorSelf {
  /** Process id. */
  readonly pid: number;
  /** Absolute path of the home. */
  readonly home: string;
  /** Semantic version. */
  readonly version: string;
  readonly plugins: readonly PluginRecord[];
  /** Ends the supervisor once the present calls are answered. */
  stop(): void;
}
