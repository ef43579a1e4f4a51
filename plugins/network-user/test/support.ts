import type { EndpointRecord, Logger, ProcessIdentity } from '@a3s-box/core';

export const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};

export function gatewayPid(record: EndpointRecord): number {
  return (record.details['gateway'] as ProcessIdentity).pid;
}
