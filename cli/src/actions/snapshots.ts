/** `snapshot` and its commands. */
import { BoxClient, type SnapshotRecord } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type {
  snapshotCreateFlags,
  snapshotInspectFlags,
  snapshotListFlags,
  snapshotPruneFlags,
  snapshotRestoreFlags,
} from '../commands/snapshot.js';
import { jsonOf } from '../format/go-values.js';
import { ListFormat, type Row } from '../format/list-format.js';
import { objectFormat } from '../format/object-format.js';
import type { Invocation } from '../invocation.js';
import { humanDuration } from '../views/human-duration.js';
import { shortId } from '../views/image-name.js';
import { mountDetails } from '../views/mount-details.js';
import { configOf, hostConfigOf } from '../views/spec-details.js';
import { confirm } from './confirm.js';
import { eachBox, nameOf } from './each-box.js';
import { humanSize } from '../views/human-size.js';
import { Interruption } from './interruption.js';
import { mountpointsOf } from './mountpoints.js';

const INDENT = 4;
const COLUMNS = '{{.ID}}\t{{.Name}}\t{{.Box}}\t{{.CreatedSince}}\t{{.Size}}';
const HEADERS: Row = {
  Box: 'BOX',
  CreatedAt: 'CREATED AT',
  CreatedSince: 'CREATED',
  ID: 'SNAPSHOT ID',
  Name: 'NAME',
  Size: 'SIZE',
};

export async function createSnapshot(
  { flags, args: [box = ''] }: Input<typeof snapshotCreateFlags>,
  invocation: Invocation,
): Promise<number> {
  using interruption = new Interruption();
  const { id } = await interruption.guard(async (signal) => {
    using client = await BoxClient.connect({ ...invocation, signal });
    const name = flags.name === undefined ? {} : { name: flags.name };
    return await client.snapshots.create(nameOf(box), { ...name, signal });
  });
  process.stdout.write(`${id}\n`);
  return 0;
}

export async function listSnapshots(
  { flags }: Input<typeof snapshotListFlags>,
  invocation: Invocation,
): Promise<number> {
  const format = new ListFormat(flags.format ?? '', { columns: COLUMNS, headers: HEADERS });
  using client = await BoxClient.connect(invocation);
  const snapshots = await client.snapshots.list();
  const now = new Date();
  process.stdout.write(
    flags.quiet
      ? snapshots.map(({ id }) => `${shortId(id)}\n`).join('')
      : format.print(snapshots.map((snapshot) => rowOf(snapshot, now))),
  );
  return 0;
}

export async function inspectSnapshots(
  { flags, args }: Input<typeof snapshotInspectFlags>,
  invocation: Invocation,
): Promise<number> {
  const print = flags.format === undefined ? undefined : objectFormat(flags.format);
  using client = await BoxClient.connect(invocation);
  const found: object[] = [];
  const status = await eachBox(args, async (snapshot) => {
    const record = await client.snapshots.inspect(snapshot);
    const details = detailsOf(record, await mountpointsOf(client, record.spec));
    if (print) return print(details);
    found.push(details);
    return '';
  });
  if (!print) process.stdout.write(`${jsonOf(found, INDENT)}\n`);
  return status;
}

export async function restoreSnapshot(
  { flags, args: [snapshot = ''] }: Input<typeof snapshotRestoreFlags>,
  invocation: Invocation,
): Promise<number> {
  using interruption = new Interruption();
  const { id } = await interruption.guard(async (signal) => {
    using client = await BoxClient.connect({ ...invocation, signal });
    const name = flags.name === undefined ? {} : { name: flags.name };
    return await client.snapshots.restore(nameOf(snapshot), { ...name, signal });
  });
  process.stdout.write(`${id}\n`);
  return 0;
}

export async function removeSnapshots({ args }: Input<Record<never, never>>, invocation: Invocation): Promise<number> {
  using client = await BoxClient.connect(invocation);
  return await eachBox(args, async (snapshot) => {
    await client.snapshots.remove(snapshot);
    return `${snapshot}\n`;
  });
}

export async function pruneSnapshots(
  { flags }: Input<typeof snapshotPruneFlags>,
  invocation: Invocation,
): Promise<number> {
  const which = flags.all ? 'all snapshots' : 'the snapshots of boxes that are gone';
  if (!flags.force && !(await confirm(`This will remove ${which}.`))) return 1;
  using client = await BoxClient.connect(invocation);
  const removed = await client.snapshots.prune({ all: flags.all });
  const freed = removed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (removed.length > 0) process.stdout.write(`Deleted Snapshots:\n${removed.map(({ id }) => `${id}\n`).join('')}\n`);
  process.stdout.write(`Total reclaimed space: ${humanSize(freed)}\n`);
  return 0;
}

function rowOf({ id, name, box, created, sizeBytes }: SnapshotRecord, now: Date): Row {
  return {
    Box: box.name,
    CreatedAt: created.toISOString(),
    CreatedSince: `${humanDuration(created, now)} ago`,
    ID: shortId(id),
    Name: name,
    Size: humanSize(sizeBytes),
  };
}

/** With Docker's names where it has them for a container. */
function detailsOf(
  { id, name, box, created, imageId, spec, sizeBytes, running, shared }: SnapshotRecord,
  mountpoints: ReadonlyMap<string, string>,
): object {
  return {
    Id: id,
    Name: name,
    Created: created.toISOString(),
    Box: { Id: box.id, Name: box.name, Running: running },
    Image: imageId,
    Config: configOf(spec),
    HostConfig: hostConfigOf(spec),
    // By name: what they hold is not in the snapshot.
    Mounts: (spec.volumes ?? []).map((mount) => mountDetails(mount, mountpoints)),
    Size: sizeBytes,
    Shared: shared,
  };
}
