import { BoxClient } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { pushFlags } from '../commands/push.js';
import type { Invocation } from '../invocation.js';
import { dockerCredentials } from './docker-credentials.js';
import { progressOf } from './progress-lines.js';
import { splitTag } from '../views/image-name.js';

/** `push`. */
export async function pushImages({ flags, args }: Input<typeof pushFlags>, invocation: Invocation): Promise<number> {
  const [name = '', ...images] = args;
  using client = await BoxClient.connect(invocation);
  const pushed = await client.images.push(name, {
    images,
    allTags: flags['all-tags'],
    plainHttp: flags['plain-http'],
    credentials: dockerCredentials(invocation).find,
    ...progressOf(flags.quiet),
    ...(flags.platform !== undefined && { platform: flags.platform }),
  });
  for (const { name: full, digest, sizeBytes } of pushed) {
    const [, tag] = splitTag(full);
    process.stdout.write(flags.quiet ? `${full}\n` : `${tag}: digest: ${digest} size: ${sizeBytes}\n`);
  }
  return 0;
}
