import type { BoxSpec, ImagePolicy } from '@a3s-box/core/client';
import type { containerFlags } from '../commands/container-flags.js';
import type { FlagValues } from '../grammar/flag.js';
import { progressOf } from './progress-lines.js';

/** When `create` and `run` fetch their image, and what they say of it. */
export function imagePolicyOf(
  { pull = 'missing', quiet }: Pick<FlagValues<typeof containerFlags>, 'pull' | 'quiet'>,
  { image }: BoxSpec,
  signal: AbortSignal,
): ImagePolicy {
  if (quiet) return { pull, signal };
  const { stderr } = process;
  return {
    pull,
    signal,
    onMissing: () => void stderr.write(`Unable to find image '${image}' locally\n`),
    ...progressOf(quiet),
  };
}
