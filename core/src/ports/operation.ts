/** Options of every port call that may take longer than a moment. */
export interface Operation {
  /**
   * Cancels the call. The call rejects with `CANCELLED`, and what it had made is gone by then.
   */
  readonly signal: AbortSignal;
}

/** A report of how far a long operation has come. Amounts are in bytes. */
export interface Progress {
  /** What is worked on, for example a layer's short digest. */
  readonly item: string;
  readonly phase:
    'waiting' | 'downloading' | 'reading' | 'writing' | 'compressing' | 'uploading' | 'mounted' | 'done' | 'exists';
  readonly done: number;
  /** Absent when unknown. */
  readonly total?: number;
}
