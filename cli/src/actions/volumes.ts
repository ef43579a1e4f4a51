/** `volume` and its commands. */
import { BoxClient, type VolumeRecord } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { inspectFlags } from '../commands/inspect.js';
import type { volumeCreateFlags, volumeListFlags, volumePruneFlags, volumeRemoveFlags } from '../commands/volume.js';
import { jsonOf } from '../format/go-values.js';
import { ListFormat, type Row } from '../format/list-format.js';
import { objectFormat } from '../format/object-format.js';
import type { Invocation } from '../invocation.js';
import { confirm } from './confirm.js';
import { eachBox } from './each-box.js';
import { humanSize } from '../views/human-size.js';
import { volumeFilter } from './volume-filter.js';

/** Docker's. */
const INDENT = 4;
const DRIVER = 'local';
const COLUMNS = '{{.Driver}}\t{{.Name}}';
const HEADERS: Row = {
  Driver: 'DRIVER',
  Labels: 'LABELS',
  Links: 'LINKS',
  Mountpoint: 'MOUNTPOINT',
  Name: 'VOLUME NAME',
  Scope: 'SCOPE',
  Size: 'SIZE',
};

/** `volume create`. */
export async function createVolume(
  { flags, args }: Input<typeof volumeCreateFlags>,
  invocation: Invocation,
): Promise<number> {
  const [name] = args;
  const sizeBytes = flags.opt.at(-1);
  using client = await BoxClient.connect(invocation);
  const volume = await client.volumes.create({
    ...(name !== undefined && { name }),
    labels: Object.fromEntries(flags.label),
    ...(sizeBytes !== undefined && { sizeBytes }),
  });
  process.stdout.write(`${volume.name}\n`);
  return 0;
}

/** `volume ls`. */
export async function listVolumes({ flags }: Input<typeof volumeListFlags>, invocation: Invocation): Promise<number> {
  const { quiet, format = '' } = flags;
  const print = new ListFormat(quiet ? '{{.Name}}' : format, { columns: COLUMNS, headers: HEADERS });
  const passes = volumeFilter(flags.filter, ['name', 'driver', 'label', 'dangling']);
  using client = await BoxClient.connect(invocation);
  process.stdout.write(print.print((await client.volumes.list()).filter(passes).map(volumeRow)));
  return 0;
}

function volumeRow({ name, labels, boxes, mountpoint, sizeBytes }: VolumeRecord): Row {
  return {
    Driver: DRIVER,
    Labels: Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(','),
    Links: String(boxes.length),
    Mountpoint: mountpoint,
    Name: name,
    Scope: 'local',
    Size: sizeBytes === undefined ? 'N/A' : humanSize(sizeBytes),
  };
}

/** `volume inspect`: what is there of it, and the failures. */
export async function inspectVolumes(
  { flags, args }: Input<typeof inspectFlags>,
  invocation: Invocation,
): Promise<number> {
  const print = flags.format === undefined ? undefined : objectFormat(flags.format);
  using client = await BoxClient.connect(invocation);
  const found: object[] = [];
  const status = await eachBox(args, async (name) => {
    const details = volumeDetails(await client.volumes.inspect(name));
    if (print) return print(details);
    found.push(details);
    return '';
  });
  if (!print) process.stdout.write(`${jsonOf(found, INDENT)}\n`);
  return status;
}

/** Docker's fields, then our own. */
function volumeDetails({ name, created, labels, mountpoint, sizeBytes, anonymous, boxes }: VolumeRecord): object {
  return {
    CreatedAt: created.toISOString(),
    Driver: DRIVER,
    Labels: new Map(Object.entries(labels)),
    Mountpoint: mountpoint,
    Name: name,
    Options: sizeBytes === undefined ? null : new Map([['size', String(sizeBytes)]]),
    Scope: 'local',
    Anonymous: anonymous,
    Boxes: boxes,
  };
}

/** `volume rm`: removes what it can and tells of the rest. */
export async function removeVolumes(
  { flags, args }: Input<typeof volumeRemoveFlags>,
  invocation: Invocation,
): Promise<number> {
  using client = await BoxClient.connect(invocation);
  const remove = async (name: string) => {
    await client.volumes.remove(name);
    return `${name}\n`;
  };
  return await eachBox(args, remove, { isHarmless: ({ code }) => flags.force && code === 'NOT_FOUND' });
}

/** `volume prune`. */
export async function pruneVolumes({ flags }: Input<typeof volumePruneFlags>, invocation: Invocation): Promise<number> {
  const { all, force } = flags;
  const passes = volumeFilter(flags.filter, ['label', 'label!']);
  const which = all ? 'all' : 'anonymous';
  if (!force && !(await confirm(`This will remove ${which} local volumes not used by at least one box.`))) return 1;
  using client = await BoxClient.connect(invocation);
  const names = (await client.volumes.list()).filter(passes).map(({ name }) => name);
  const { removed, freedBytes } =
    names.length > 0 ? await client.volumes.prune({ all, names }) : { removed: [], freedBytes: 0 };
  if (removed.length > 0) process.stdout.write(`Deleted Volumes:\n${removed.join('\n')}\n\n`);
  process.stdout.write(`Total reclaimed space: ${humanSize(freedBytes)}\n`);
  return 0;
}
