import { randomInt } from 'node:crypto';

const QUALITIES = [
  'amber', 'bold', 'brisk', 'calm', 'clear', 'crisp', 'deft', 'eager', 'early', 'fair', 'fleet', 'fond', 'frank', 'glad',
  'hale', 'keen', 'kind', 'light', 'lively', 'lucid', 'mellow', 'mild', 'neat', 'nimble', 'plain', 'prime', 'proud',
  'quick', 'quiet', 'rapid', 'ready', 'sharp', 'silver', 'sleek', 'smart', 'snug', 'solid', 'spry', 'steady', 'still',
  'sunny', 'swift', 'tidy', 'true', 'vivid', 'warm', 'wise', 'witty',
] as const;

const THINGS = [
  'acorn', 'alder', 'anchor', 'aspen', 'badger', 'beacon', 'birch', 'bridge', 'brook', 'canyon', 'cedar', 'comet',
  'coral', 'crane', 'dune', 'falcon', 'fern', 'fjord', 'garnet', 'grove', 'harbor', 'hazel', 'heron', 'island', 'juniper',
  'kestrel', 'lagoon', 'lantern', 'larch', 'lotus', 'maple', 'marten', 'meadow', 'opal', 'orchid', 'osprey', 'otter',
  'pebble', 'pine', 'plover', 'quartz', 'raven', 'reef', 'ridge', 'sparrow', 'spruce', 'summit', 'tern', 'walnut', 'willow',
] as const;

/**
 * Makes a name that no box has, such as `swift_otter`; adds digits when the plain ones are used up.
 *
 * @param isTaken whether a name is in use
 */
export function makeBoxName(isTaken: (name: string) => boolean): string {
  for (let attempt = 0; ; attempt++) {
    const name = `${pick(QUALITIES)}_${pick(THINGS)}${attempt < 10 ? '' : randomInt(10 ** (attempt - 8))}`;
    if (!isTaken(name)) return name;
  }
}

function pick(words: readonly string[]): string {
  return words[randomInt(words.length)] as string;
}
