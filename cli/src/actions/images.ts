import { BoxClient, type ImageRecord } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { imagesFlags } from '../commands/images.js';
import { ListFormat, type Row } from '../format/list-format.js';
import type { Invocation } from '../invocation.js';
import { goTime, humanDuration } from '../views/human-duration.js';
import { humanSize } from '../views/human-size.js';
import { familiar, shortId, splitTag } from '../views/image-name.js';
import { filterImages, type NamedImage } from './image-filter.js';
import { checkOneFormat } from './one-format.js';

const COLUMNS_BEFORE = '{{.Repository}}\t{{.Tag}}';
const COLUMNS_AFTER = '{{.ID}}\t{{.CreatedSince}}\t{{.Size}}';
const IMAGE_HEADERS: Row = {
  CreatedAt: 'CREATED AT',
  CreatedSince: 'CREATED',
  Digest: 'DIGEST',
  ID: 'IMAGE ID',
  Platform: 'PLATFORM',
  Repository: 'REPOSITORY',
  Size: 'SIZE',
  Tag: 'TAG',
};

/** `images`. */
export async function listImages({ flags, args }: Input<typeof imagesFlags>, invocation: Invocation): Promise<number> {
  checkOneFormat(flags);
  const columns = [COLUMNS_BEFORE, ...(flags.digests ? ['{{.Digest}}'] : []), COLUMNS_AFTER].join('\t');
  const format = new ListFormat(flags.quiet ? '{{.ID}}' : (flags.format ?? ''), { columns, headers: IMAGE_HEADERS });
  using client = await BoxClient.connect(invocation);
  const filters = [...flags.filter, ...args.map((reference) => `reference=${reference}`)];
  const named = await filterImages(await client.images.list(), filters, client);
  if (flags.json) {
    process.stdout.write(`${JSON.stringify([...new Set(named.map(({ image }) => image))], null, 2)}\n`);
    return 0;
  }
  const rows = named.map((it) => imageRow(it, { now: new Date(), wholeIds: flags['no-trunc'] }));
  // An image with two names is one image.
  process.stdout.write(format.print(flags.quiet ? [...new Map(rows.map((row) => [row['ID'], row])).values()] : rows));
  return 0;
}

/** A line for each name of each image. */
export function imageRows(images: readonly ImageRecord[], now: Date): Row[] {
  return images.flatMap((image) =>
    (image.names.length > 0 ? image.names : ['']).map((name) => imageRow({ name, image }, { now, wholeIds: false })),
  );
}

function imageRow({ name, image }: NamedImage, { now, wholeIds }: { now: Date; wholeIds: boolean }): Row {
  const { id, platform, created, sizeBytes } = image;
  const [repository, tag] = splitTag(familiar(name));
  return {
    CreatedAt: created ? goTime(created) : 'N/A',
    CreatedSince: created ? `${humanDuration(created, now)} ago` : 'N/A',
    Digest: digestIn(splitTag(name)[0], image) || '<none>',
    ID: wholeIds ? id : shortId(id),
    Platform: platform,
    Repository: repository || '<none>',
    Size: humanSize(sizeBytes),
    Tag: tag || '<none>',
  };
}

/** The digest in a repository; where none is known, or it has the image as it is here, that of the manifest here. */
function digestIn(repository: string, { digest, repoDigests }: ImageRecord): string {
  const known = repoDigests
    .filter((it) => it.startsWith(`${repository}@`))
    .map((it) => it.slice(repository.length + 1));
  return known.includes(digest) ? digest : (known.at(-1) ?? digest);
}
