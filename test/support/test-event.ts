/** What a mocha worker tells the runner, one JSON document a line. */
export type TestEvent =
  | { readonly type: 'begin'; readonly total: number }
  | { readonly type: 'pass'; readonly title: string; readonly file: string; readonly durationMs: number }
  | { readonly type: 'fail'; readonly title: string; readonly file: string; readonly error: string }
  | { readonly type: 'skip'; readonly title: string; readonly file: string; readonly reason: string | null }
  | { readonly type: 'end' };
