import { BoxClient, type ImageStep } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { historyFlags } from '../commands/history.js';
import { ListFormat, type Row } from '../format/list-format.js';
import type { Invocation } from '../invocation.js';
import { humanDuration } from '../views/human-duration.js';
import { humanSize } from '../views/human-size.js';
import { shortId } from '../views/image-name.js';

const COLUMNS = '{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}';
const EXACT_COLUMNS = COLUMNS.replace('CreatedSince', 'CreatedAt');
const HEADERS: Row = {
  Comment: 'COMMENT',
  CreatedAt: 'CREATED AT',
  CreatedBy: 'CREATED BY',
  CreatedSince: 'CREATED',
  ID: 'IMAGE',
  Size: 'SIZE',
};
/** Docker's. */
const COMMAND_WIDTH = 45;

/** `history`: newest step first. */
export async function showHistory(
  { flags, args: [image = ''] }: Input<typeof historyFlags>,
  invocation: Invocation,
): Promise<number> {
  const columns = flags.human ? COLUMNS : EXACT_COLUMNS;
  const format = new ListFormat(flags.quiet ? '{{.ID}}' : (flags.format ?? ''), { columns, headers: HEADERS });
  using client = await BoxClient.connect(invocation);
  const { id, history } = await client.images.inspect(image);
  const rows = history.toReversed().map((step, index) => rowOf(step, index === 0 ? id : undefined, flags));
  process.stdout.write(format.print(rows));
  return 0;
}

function rowOf(step: ImageStep, id: string | undefined, flags: Input<typeof historyFlags>['flags']): Row {
  const { created, createdBy = '', comment = '', sizeBytes } = step;
  const whole = flags['no-trunc'];
  const command = createdBy.replaceAll('\t', ' ');
  const known = created !== undefined && !Number.isNaN(Date.parse(created));
  return {
    Comment: comment,
    CreatedAt: created ?? 'N/A',
    CreatedBy: whole || command.length <= COMMAND_WIDTH ? command : `${command.slice(0, COMMAND_WIDTH - 1)}…`,
    CreatedSince: known ? `${humanDuration(new Date(created), new Date())} ago` : 'N/A',
    ID: id === undefined ? '<missing>' : whole ? id : shortId(id),
    Size: flags.human ? humanSize(sizeBytes) : String(sizeBytes),
  };
}
