import { BoxClient, type ImageRecord } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { imagesFlags } from '../commands/images.js';
import { ListFormat, type Row } from '../format/list-format.js';
import type { Invocation } from '../invocation.js';
import { goTime, humanDuration } from '../views/human-duration.js';
import { humanSize } from '../views/human-size.js';
import { familiar, shortId, splitTag } from '../views/image-name.js';
import { checkOneFormat } from './one-format.js';

const IMAGE_COLUMNS = '{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}';
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
export async function listImages({ flags }: Input<typeof imagesFlags>, invocation: Invocation): Promise<number> {
  checkOneFormat(flags);
  const format = new ListFormat(flags.format ?? '', { columns: IMAGE_COLUMNS, headers: IMAGE_HEADERS });
  using client = await BoxClient.connect(invocation);
  const images = await client.images.list();
  process.stdout.write(
    flags.json ? `${JSON.stringify(images, null, 2)}\n` : format.print(imageRows(images, new Date())),
  );
  return 0;
}

/** A line for each name of each image. */
export function imageRows(images: readonly ImageRecord[], now: Date): Row[] {
  return images.flatMap((image) =>
    (image.names.length > 0 ? image.names : ['']).map((name) => imageRow(name, image, now)),
  );
}

function imageRow(name: string, { id, digest, platform, created, sizeBytes }: ImageRecord, now: Date): Row {
  const [repository, tag] = splitTag(familiar(name));
  return {
    CreatedAt: created ? goTime(created) : 'N/A',
    CreatedSince: created ? `${humanDuration(created, now)} ago` : 'N/A',
    Digest: digest || '<none>',
    ID: shortId(id),
    Platform: platform,
    Repository: repository || '<none>',
    Size: humanSize(sizeBytes),
    Tag: tag || '<none>',
  };
}
