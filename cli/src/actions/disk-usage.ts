import { BoxError } from '@a3s-box/core';
import {
  BoxClient,
  type BoxRecord,
  type DiskUsage,
  type ImageRecord,
  type SnapshotRecord,
  type TemplateRecord,
  type VolumeRecord,
} from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { systemDfFlags } from '../commands/system.js';
import { ListFormat, type Row } from '../format/list-format.js';
import type { Invocation } from '../invocation.js';
import { isUp } from '../views/box-status.js';
import { humanSize } from '../views/human-size.js';

const COLUMNS = '{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}';
const HEADERS: Row = {
  Type: 'TYPE',
  TotalCount: 'TOTAL',
  Active: 'ACTIVE',
  Size: 'SIZE',
  Reclaimable: 'RECLAIMABLE',
};

interface Use {
  readonly bytes: number;
  readonly active: boolean;
}

/** All that takes room. */
export interface Holdings {
  readonly images: readonly ImageRecord[];
  readonly boxes: readonly BoxRecord[];
  readonly volumes: readonly VolumeRecord[];
  readonly snapshots: readonly SnapshotRecord[];
  readonly templates: readonly TemplateRecord[];
  readonly usage: DiskUsage;
}

/** `system df`. */
export async function showDiskUsage({ flags }: Input<typeof systemDfFlags>, invocation: Invocation): Promise<number> {
  if (flags.verbose && flags.format !== undefined) {
    throw new BoxError('INVALID_ARGUMENT', 'conflicting options: --verbose and --format', { hint: 'give one of them' });
  }
  const print = new ListFormat(flags.format ?? '', { columns: COLUMNS, headers: HEADERS });
  const holdings = await find(invocation);
  if (flags.verbose) {
    const { listHoldings } = await import('./disk-usage-lists.js');
    process.stdout.write(listHoldings(holdings, new Date()));
  } else process.stdout.write(print.print(rowsOf(holdings)));
  return 0;
}

async function find(invocation: Invocation): Promise<Holdings> {
  using client = await BoxClient.connect(invocation);
  const [images, boxes, volumes, snapshots, templates, usage] = await Promise.all([
    client.images.list(),
    client.list({ all: true }),
    client.volumes.list(),
    client.snapshots.list(),
    client.templates.list(),
    client.diskUsage(),
  ]);
  return { images, boxes, volumes, snapshots, templates, usage };
}

function rowsOf({ images, boxes, volumes, snapshots, templates, usage }: Holdings): Row[] {
  const used = new Set(boxes.map(({ imageId }) => imageId));
  const kinds: readonly (readonly [type: string, uses: readonly Use[]])[] = [
    ['Images', images.map(({ id, sizeBytes }) => ({ bytes: sizeBytes, active: used.has(id) }))],
    [
      'Boxes',
      boxes.map((box) => ({ bytes: usage.boxes.get(box.id) ?? 0, active: isUp(box) || box.state === 'starting' })),
    ],
    [
      'Local Volumes',
      volumes.map((volume) => ({ bytes: usage.volumes.get(volume.name) ?? 0, active: volume.boxes.length > 0 })),
    ],
    ['Snapshots', snapshots.map(({ sizeBytes }) => ({ bytes: sizeBytes, active: false }))],
    ['Templates', templates.map(({ sizeBytes }) => ({ bytes: sizeBytes, active: false }))],
  ];
  return kinds.map(([type, uses]) => row(type, uses));
}

function row(type: string, uses: readonly Use[]): Row {
  const size = sum(uses);
  const free = sum(uses.filter(({ active }) => !active));
  const share = size > 0 ? ` (${Math.round((free / size) * 100)}%)` : '';
  return {
    Type: type,
    TotalCount: String(uses.length),
    Active: String(uses.filter(({ active }) => active).length),
    Size: humanSize(size),
    Reclaimable: `${humanSize(free)}${share}`,
  };
}

function sum(uses: readonly Use[]): number {
  return uses.reduce((total, { bytes }) => total + bytes, 0);
}
