/** `container prune`, `image prune` and `system prune`. */
import { BoxError, isBoxError } from '@a3s-box/core';
import { BoxClient, type ImageRecord, type PruneFilter } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { imagePruneFlags } from '../commands/image-store.js';
import type { containerPruneFlags, systemPruneFlags } from '../commands/system.js';
import { parseMoment } from '../grammar/moment.js';
import type { Invocation } from '../invocation.js';
import { confirm } from './confirm.js';
import { humanSize } from '../views/human-size.js';

export async function pruneBoxes(
  { flags }: Input<typeof containerPruneFlags>,
  invocation: Invocation,
): Promise<number> {
  const filter = pruneFilterOf(flags.filter);
  if (!flags.force && !(await confirm('This will remove all boxes that do not run.'))) return 1;
  using client = await BoxClient.connect(invocation);
  const { removed, reclaimedBytes } = await client.prune(filter);
  print('Deleted Boxes:', removed);
  process.stdout.write(`Total reclaimed space: ${humanSize(reclaimedBytes)}\n`);
  return 0;
}

export async function pruneSystem({ flags }: Input<typeof systemPruneFlags>, invocation: Invocation): Promise<number> {
  const filter = pruneFilterOf(flags.filter);
  const images = flags.all ? 'all images that no box is of' : 'all images without a name';
  if (!flags.force && !(await confirm(`This will remove all boxes that do not run, and ${images}.`))) return 1;
  using client = await BoxClient.connect(invocation);
  const boxes = await client.prune(filter);
  const pruned = await pruneImages(client, { all: flags.all, filter });
  print('Deleted Boxes:', boxes.removed);
  print('Deleted Images:', pruned.removed);
  process.stdout.write(`Total reclaimed space: ${humanSize(boxes.reclaimedBytes + pruned.bytes)}\n`);
  return 0;
}

export async function pruneUnusedImages(
  { flags }: Input<typeof imagePruneFlags>,
  invocation: Invocation,
): Promise<number> {
  const filter = pruneFilterOf(flags.filter);
  const images = flags.all ? 'all images that no box is of' : 'all images without a name';
  if (!flags.force && !(await confirm(`This will remove ${images}.`))) return 1;
  using client = await BoxClient.connect(invocation);
  const { removed, bytes } = await pruneImages(client, { all: flags.all, filter });
  print('Deleted Images:', removed);
  process.stdout.write(`Total reclaimed space: ${humanSize(bytes)}\n`);
  return 0;
}

interface ImagePrune {
  /** Also those that have a name. */
  readonly all: boolean;
  readonly filter: PruneFilter;
}

async function pruneImages(
  client: BoxClient,
  { all, filter }: ImagePrune,
): Promise<{ removed: string[]; bytes: number }> {
  const [images, boxes] = await Promise.all([client.images.list(), client.list({ all: true })]);
  const used = new Set(boxes.map(({ imageId }) => imageId));
  const removed: string[] = [];
  let bytes = 0;
  for (const image of images) {
    if (used.has(image.id) || (!all && image.names.length > 0)) continue;
    if (!(await passes(client, image, filter))) continue;
    try {
      const names = image.names.length > 0 ? image.names : [image.id];
      for (const name of names) removed.push(...lines(await client.images.remove(name)));
      bytes += image.sizeBytes;
    } catch (error) {
      // A box of it was made meanwhile, or somebody else removed it.
      if (!isBoxError(error) || (error.code !== 'IMAGE_IN_USE' && error.code !== 'IMAGE_NOT_FOUND')) throw error;
    }
  }
  return { removed, bytes };
}

function lines({ untagged, deleted }: { readonly untagged: readonly string[]; readonly deleted: readonly string[] }) {
  return [...untagged.map((name) => `untagged: ${name}`), ...deleted.map((id) => `deleted: ${id}`)];
}

async function passes(client: BoxClient, image: ImageRecord, { untilNs, labels = [] }: PruneFilter): Promise<boolean> {
  if (untilNs !== undefined && BigInt(image.created?.getTime() ?? 0) * 1_000_000n >= untilNs) return false;
  if (labels.length === 0) return true;
  const { config } = await client.images.inspect(image.id);
  return labels.every(({ name, value, negated }) => {
    const has = Object.hasOwn(config.labels, name) && (value === undefined || config.labels[name] === value);
    return has !== negated;
  });
}

/** @throws INVALID_ARGUMENT for a filter that is not known */
export function pruneFilterOf(filters: readonly string[]): PruneFilter {
  let untilNs: bigint | undefined;
  const labels: NonNullable<PruneFilter['labels']>[number][] = [];
  for (const filter of filters) {
    const [, name = '', value = ''] = /^(until|label!?)=(.+)$/.exec(filter) ?? [];
    if (name === 'until') {
      untilNs = parseMoment(value);
    } else if (name !== '') {
      const equals = value.indexOf('=');
      const content = equals < 0 ? undefined : value.slice(equals + 1);
      labels.push({ name: equals < 0 ? value : value.slice(0, equals), value: content, negated: name === 'label!' });
    } else {
      const hint = 'there are until=TIME, label=NAME[=VALUE], label!=NAME[=VALUE]';
      throw new BoxError('INVALID_ARGUMENT', `invalid filter "${filter}"`, { hint });
    }
  }
  return { labels, ...(untilNs !== undefined && { untilNs }) };
}

function print(head: string, names: readonly string[]): void {
  if (names.length > 0) process.stdout.write(`${head}\n${names.join('\n')}\n\n`);
}
