import { BoxClient, withImage } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { boxFlags } from '../commands/box-flags.js';
import type { Invocation } from '../invocation.js';
import { boxSpecOf } from './box-spec.js';
import { dockerCredentials } from './docker-credentials.js';
import { IdFile } from './id-file.js';
import { imagePolicyOf } from './image-policy.js';
import { Interruption } from './interruption.js';

/** `create`: a box on record, which nothing runs of yet. */
export async function createBox(input: Input<typeof boxFlags>, invocation: Invocation): Promise<number> {
  const spec = boxSpecOf(input, invocation);
  using interruption = new Interruption();
  return await interruption.guard(async (signal) => {
    using client = await BoxClient.connect({ ...invocation, signal });
    using idFile = new IdFile(input.flags.cidfile);
    const { find: credentials } = dockerCredentials(invocation);
    const policy = { ...imagePolicyOf(input.flags, spec, signal), credentials };
    const { id, notices } = await withImage(client.images, spec, policy, () => client.create(spec, { signal }));
    idFile.write(id);
    for (const notice of notices) process.stderr.write(`a3s-box: ${notice}\n`);
    process.stdout.write(`${id}\n`);
    return 0;
  });
}
