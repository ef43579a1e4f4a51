import { BoxClient, type ImageRecord } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { jsonFlag } from '../commands/json-flag.js';
import type { Invocation } from '../invocation.js';
import { table } from './table.js';

const SHORT_ID = 12;

/** `images`. */
export async function listImages({ flags }: Input<typeof jsonFlag>, invocation: Invocation): Promise<number> {
  using client = await BoxClient.connect(invocation);
  const images = await client.images.list();
  process.stdout.write(flags.json ? `${JSON.stringify(images, null, 2)}\n` : imageTable(images, new Date()));
  return 0;
}

export function imageTable(images: readonly ImageRecord[], now: Date): string {
  const rows = images.flatMap((image) =>
    (image.names.length > 0 ? image.names : ['']).map((name) => row(name, image, now)),
  );
  return table([['REPOSITORY', 'TAG', 'IMAGE ID', 'CREATED', 'SIZE'], ...rows]);
}

function row(name: string, { id, created, sizeBytes }: ImageRecord, now: Date): string[] {
  const [repository, tag] = splitTag(familiar(name));
  const shortId = id.replace(/^sha256:/, '').slice(0, SHORT_ID);
  return [
    repository || '<none>',
    tag || '<none>',
    shortId,
    created ? `${ageOf(created, now)} ago` : 'N/A',
    sizeOf(sizeBytes),
  ];
}

/** Without the registry that is meant when none is said. */
function familiar(name: string): string {
  return name.replace(/^docker\.io\//, '').replace(/^library\//, '');
}

function splitTag(name: string): readonly [string, string] {
  const colon = name.lastIndexOf(':');
  return colon > name.lastIndexOf('/') ? [name.slice(0, colon), name.slice(colon + 1)] : [name, ''];
}

/** As Docker tells ages: one unit, rounded down. */
export function ageOf(date: Date, now: Date): string {
  const seconds = Math.max(0, Math.floor((now.getTime() - date.getTime()) / 1000));
  const units: readonly (readonly [string, number, number])[] = [
    ['second', 1, 60],
    ['minute', 60, 3600],
    ['hour', 3600, 48 * 3600],
    ['day', 86_400, 14 * 86_400],
    ['week', 604_800, 60 * 86_400],
    ['month', 2_592_000, 730 * 86_400],
    ['year', 31_536_000, Infinity],
  ];
  const [unit, length] = units.find(([, , below]) => seconds < below) ?? ['second', 1];
  const count = Math.floor(seconds / length);
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

/** Decimal units, as Docker prints sizes. */
export function sizeOf(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let size = bytes;
  let unit = 0;
  for (; size >= 1000 && unit < units.length - 1; unit++) size /= 1000;
  return `${Number(size.toPrecision(3))}${units[unit]}`;
}
