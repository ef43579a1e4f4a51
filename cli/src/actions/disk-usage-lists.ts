/** `system df --verbose`: a table for each kind of thing. */
import { boxRow } from '../views/box-row.js';
import { humanDuration } from '../views/human-duration.js';
import { humanSize } from '../views/human-size.js';
import { shortId } from '../views/image-name.js';
import type { Row } from '../format/list-format.js';
import type { Holdings } from './disk-usage.js';
import { imageRows } from './images.js';
import { table } from './table.js';

/** Of a template's key, as `template ls` shows it. */
const KEY_LENGTH = 12;

type Section = readonly [title: string, head: readonly string[], lines: readonly (readonly string[])[]];

/** @returns text with an end of line */
export function listHoldings(holdings: Holdings, now: Date): string {
  const sections: readonly Section[] = [
    ['Images', ['REPOSITORY', 'TAG', 'IMAGE ID', 'CREATED', 'SIZE', 'BOXES'], images(holdings, now)],
    [
      'Boxes',
      ['BOX ID', 'IMAGE', 'COMMAND', 'LOCAL VOLUMES', 'SIZE', 'CREATED', 'STATUS', 'NAMES'],
      boxes(holdings, now),
    ],
    ['Local Volumes', ['VOLUME NAME', 'LINKS', 'SIZE'], volumes(holdings)],
    ['Snapshots', ['SNAPSHOT ID', 'NAME', 'BOX', 'CREATED', 'SIZE'], snapshots(holdings, now)],
    ['Templates', ['KEY', 'SIZE'], templates(holdings)],
  ];
  return sections.map(([title, head, lines]) => `${title} space usage:\n\n${table([[...head], ...lines])}`).join('\n');
}

function images({ images: all, boxes: users }: Holdings, now: Date): string[][] {
  return all.flatMap((image) =>
    imageRows([image], now).map((row) => [
      ...textsOf(row, ['Repository', 'Tag', 'ID', 'CreatedSince', 'Size']),
      String(users.filter(({ imageId }) => imageId === image.id).length),
    ]),
  );
}

function boxes({ boxes: all, usage }: Holdings, now: Date): string[][] {
  return all.map((box) => {
    const row = boxRow(box, now, true);
    const volumesOfBox = (box.spec.volumes ?? []).filter(({ kind }) => kind === 'volume');
    return [
      ...textsOf(row, ['ID', 'Image', 'Command']),
      String(volumesOfBox.length),
      humanSize(usage.boxes.get(box.id) ?? 0),
      ...textsOf(row, ['RunningFor', 'Status', 'Names']),
    ];
  });
}

function volumes({ volumes: all, usage }: Holdings): string[][] {
  return all.map(({ name, boxes: users }) => [name, String(users.length), humanSize(usage.volumes.get(name) ?? 0)]);
}

function snapshots({ snapshots: all }: Holdings, now: Date): string[][] {
  return all.map(({ id, name, box, created, sizeBytes }) => [
    ...[shortId(id), name, box.name, `${humanDuration(created, now)} ago`],
    humanSize(sizeBytes),
  ]);
}

function templates({ templates: all }: Holdings): string[][] {
  return all.map(({ key, sizeBytes }) => [key.slice(0, KEY_LENGTH), humanSize(sizeBytes)]);
}

function textsOf(row: Row, names: readonly string[]): string[] {
  return names.map((name) => String(row[name]));
}
