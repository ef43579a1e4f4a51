import { BoxClient } from '@a3s-box/core/client';
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

/** `system df`. */
export async function showDiskUsage({ flags }: Input<typeof systemDfFlags>, invocation: Invocation): Promise<number> {
  const print = new ListFormat(flags.format ?? '', { columns: COLUMNS, headers: HEADERS });
  using client = await BoxClient.connect(invocation);
  const [images, boxes, templates, usage] = await Promise.all([
    client.images.list(),
    client.list({ all: true }),
    client.templates.list(),
    client.diskUsage(),
  ]);
  const used = new Set(boxes.map(({ imageId }) => imageId));
  const rows = [
    row(
      'Images',
      images.map(({ id, sizeBytes }) => ({ bytes: sizeBytes, active: used.has(id) })),
    ),
    row(
      'Boxes',
      boxes.map((box) => ({ bytes: usage.boxes.get(box.id) ?? 0, active: isUp(box) || box.state === 'starting' })),
    ),
    row(
      'Templates',
      templates.map(({ sizeBytes }) => ({ bytes: sizeBytes, active: false })),
    ),
  ];
  process.stdout.write(print.print(rows));
  return 0;
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
