/** What most calls take. */
export interface CallOptions {
  /** Gives up the call, which rejects with `CANCELLED`. What the supervisor has begun it goes on with. */
  readonly signal?: AbortSignal;
}
