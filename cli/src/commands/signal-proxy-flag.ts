/** `--sig-proxy` of commands that join a box's main process. */
export const signalProxyFlag = {
  'sig-proxy': {
    kind: 'boolean',
    byDefault: true,
    summary: 'pass signals on to the workload (on by default); without it they end this command, and the box goes on',
  },
} as const;
