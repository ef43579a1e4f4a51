import { BoxError, DISK_SLOTS, type BlockCounters } from '@a3s-box/core';

/** What QEMU tells of one device (qemu-qmp-ref, `query-blockstats`). */
interface DeviceStatistics {
  /** Of the node that the device is attached to; a slot's has the slot's name for as long as the VM lives. */
  readonly 'node-name'?: unknown;
  readonly stats?: { readonly rd_bytes?: unknown; readonly wr_bytes?: unknown };
}

/**
 * Adds the slots' devices up. The figures are the devices', not the images': another image behind a slot leaves them.
 * @param answer of `query-blockstats` @throws INTERNAL for one that is not of that kind, or lacks a slot
 */
export function sumOfSlots(answer: unknown): BlockCounters {
  const devices = (Array.isArray(answer) ? answer : []) as readonly DeviceStatistics[];
  let [readBytes, writtenBytes] = [0n, 0n];
  for (const slot of DISK_SLOTS) {
    const stats = devices.find((device) => device['node-name'] === slot)?.stats;
    readBytes += count(slot, stats?.rd_bytes);
    writtenBytes += count(slot, stats?.wr_bytes);
  }
  return { readBytes, writtenBytes };
}

function count(slot: string, value: unknown): bigint {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  throw new BoxError('INTERNAL', `qemu does not tell how much was moved to and from disk ${slot}`);
}
