/** A line of `ps`, with the fields that templates have. */
import type { BoxRecord } from '@a3s-box/core/client';
import type { Row } from '../format/list-format.js';
import { quoted } from '../format/go-values.js';
import { statusOf } from './box-status.js';
import { goTime, humanDuration } from './human-duration.js';
import { familiar, shortId, splitTag } from './image-name.js';
import { portsText } from './port-text.js';

export const BOX_COLUMNS = '{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}';

/** Docker's heads, and `.Label "com.example.some-name"` as Docker calls it. */
export const BOX_HEADERS: Row = {
  Command: 'COMMAND',
  CreatedAt: 'CREATED AT',
  ID: 'BOX ID',
  Image: 'IMAGE',
  Label: (name) => (name.split('.').at(-1) ?? '').replaceAll(/[-_]/g, ' '),
  Labels: 'LABELS',
  Names: 'NAMES',
  Networks: 'NETWORKS',
  Ports: 'PORTS',
  RunningFor: 'CREATED',
  State: 'STATE',
  Status: 'STATUS',
};

const SHORT_COMMAND = 20;

/** @param short whether ids, commands and reasons are cut */
export function boxRow(box: BoxRecord, now: Date, short: boolean): Row {
  const { labels } = box.spec;
  const command = commandOf(box.arguments);
  return {
    Command: quoted(short ? ellipsis(command, SHORT_COMMAND) : command),
    CreatedAt: goTime(box.created),
    ID: short ? shortId(box.id) : box.id,
    Image: short ? imageOf(box) : box.spec.image,
    Label: (name) => (Object.hasOwn(labels, name) ? (labels[name] ?? '') : ''),
    Labels: Object.entries(labels)
      .map(([name, value]) => `${name}=${value}`)
      .sort()
      .join(','),
    Names: box.name,
    Networks: box.network,
    Ports: portsText(box.ports),
    RunningFor: `${humanDuration(box.created, now)} ago`,
    State: box.state,
    Status: statusOf(box, now, short),
  };
}

function commandOf(words: readonly string[]): string {
  return words.map((word, i) => (i > 0 && word.includes(' ') ? `'${word}'` : word)).join(' ');
}

function ellipsis(text: string, most: number): string {
  const characters = Array.from(text);
  return characters.length > most ? `${characters.slice(0, most - 1).join('')}…` : text;
}

/** As it was asked for; an id is cut, a digest left out. */
function imageOf({ imageId, spec: { image } }: BoxRecord): string {
  const bare = image.replace(/^sha256:/, '');
  if (/^[0-9a-f]{12,64}$/.test(bare) && imageId.replace(/^sha256:/, '').startsWith(bare)) return shortId(image);
  const [repository, tag] = splitTag(familiar(image));
  return tag === '' ? repository : `${repository}:${tag}`;
}
