import type { PluginRecord } from '../gen/a3s/box/supervisor/v1/supervisor.js';

/** What a supervisor tells of itself, and how it is ended. */
export interface SupervisorSelf {
  /** Process id. */
  readonly pid: number;
  /** Absolute path of the home. */
  readonly home: string;
  /** Semantic version. */
  readonly version: string;
  /** Minor version of the protocol that it serves. */
  readonly protocolMinor: number;
  /** Distribution file that it was started with; absolute path. Absent: the one that it found. */
  readonly distribution?: string | undefined;
  readonly plugins: readonly PluginRecord[];
  /** Takes no new clients from now on, and ends the supervisor once the present calls are answered. */
  stop(): Promise<void>;
}
