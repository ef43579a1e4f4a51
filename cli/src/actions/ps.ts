import { BoxClient, type BoxRecord } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { psFlags } from '../commands/ps.js';
import { ListFormat } from '../format/list-format.js';
import type { Invocation } from '../invocation.js';
import { isUp } from '../views/box-status.js';
import { BOX_COLUMNS, BOX_HEADERS, boxRow } from '../views/box-row.js';
import { BoxFilter } from './box-filter.js';

type PsInput = Input<typeof psFlags>;

/** `ps`. */
export async function listBoxes({ flags }: PsInput, invocation: Invocation): Promise<number> {
  const { quiet, format = '' } = flags;
  if (quiet && format !== '') process.stderr.write('a3s-box: --format is left out because of --quiet\n');
  const print = new ListFormat(quiet ? '{{.ID}}' : format, { columns: BOX_COLUMNS, headers: BOX_HEADERS });
  const filter = new BoxFilter(flags.filter);
  using client = await BoxClient.connect(invocation);
  const now = new Date();
  const boxes = await selected(client, filter, flags);
  process.stdout.write(print.print(boxes.map((box) => boxRow(box, now, !flags['no-trunc']))));
  return 0;
}

async function selected(client: BoxClient, filter: BoxFilter, flags: PsInput['flags']): Promise<BoxRecord[]> {
  const last = flags.last ?? (flags.latest ? 1 : 0);
  // A state that is asked for is meant whatever it is, as in Docker.
  const anyState = flags.all || last > 0 || filter.has('status');
  const all = anyState || filter.has('before') || filter.has('since');
  const [boxes, images] = await Promise.all([client.list({ all }), filter.has('ancestor') ? client.images.list() : []]);
  const listed = anyState ? boxes : boxes.filter((box) => isUp(box) || box.state === 'starting');
  const passed = filter.select(listed, { boxes, images }).sort((a, b) => b.created.getTime() - a.created.getTime());
  return last > 0 ? passed.slice(0, last) : passed;
}
