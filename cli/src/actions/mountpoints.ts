import type { BoxClient, BoxSpec } from '@a3s-box/core/client';

/** Where the volumes of a home are, by name; empty for settings that name none. */
export async function mountpointsOf(client: BoxClient, { volumes }: BoxSpec): Promise<ReadonlyMap<string, string>> {
  if (!volumes?.some(({ kind }) => kind === 'volume')) return new Map();
  return new Map((await client.volumes.list()).map(({ name, mountpoint }) => [name, mountpoint]));
}
