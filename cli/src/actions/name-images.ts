import { asBoxError } from '@a3s-box/core';
import { BoxClient } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { imageInspectFlags } from '../commands/image-inspect.js';
import type { rmiFlags } from '../commands/rmi.js';
import type { Invocation } from '../invocation.js';
import { printError } from '../print-error.js';
import { dockerCredentials } from './docker-credentials.js';

/** `tag`. */
export async function tagImage({ args }: Input<Record<never, never>>, invocation: Invocation): Promise<number> {
  const [image = '', name = ''] = args;
  using client = await BoxClient.connect(invocation);
  await client.images.tag(image, name);
  return 0;
}

/** `rmi`: removes what it can and tells of the rest. */
export async function removeImages({ flags, args }: Input<typeof rmiFlags>, invocation: Invocation): Promise<number> {
  using client = await BoxClient.connect(invocation);
  let status = 0;
  for (const image of args) {
    try {
      const { untagged, deleted } = await client.images.remove(image, { force: flags.force });
      const lines = [...untagged.map((name) => `Untagged: ${name}`), ...deleted.map((id) => `Deleted: ${id}`)];
      for (const line of lines) process.stdout.write(`${line}\n`);
    } catch (error) {
      status = printError(asBoxError(error), { json: false, debug: false });
    }
  }
  return status;
}

/** `image inspect`. */
export async function inspectImages(
  { flags, args }: Input<typeof imageInspectFlags>,
  invocation: Invocation,
): Promise<number> {
  using client = await BoxClient.connect(invocation);
  const options = { plainHttp: flags['plain-http'], credentials: dockerCredentials(invocation).find };
  const images = await Promise.all(
    args.map(async (image) => ({
      ...(await client.images.inspect(image)),
      ...(flags.referrers && { referrers: await client.signatures.referrers(image, options) }),
    })),
  );
  process.stdout.write(`${JSON.stringify(images, null, 2)}\n`);
  return 0;
}
