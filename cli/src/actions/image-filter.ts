/** `--filter` of `images`. */
import { posix } from 'node:path';
import { BoxError } from '@a3s-box/core';
import type { BoxClient, ImageRecord } from '@a3s-box/core/client';
import { parseMoment } from '../grammar/moment.js';
import { familiar, splitTag } from '../views/image-name.js';

const NS_PER_MS = 1_000_000n;
const NAMES = ['before', 'dangling', 'label', 'reference', 'since', 'until'] as const;

/** An image under one of its names, or under none. */
export interface NamedImage {
  readonly image: ImageRecord;
  readonly name: string;
}

type Test = (named: NamedImage) => boolean | Promise<boolean>;

/**
 * The names of images that filters let through: of one filter's values any has to hold, but every label; all filters have to.
 * @throws INVALID_ARGUMENT, IMAGE_NOT_FOUND for the image of `before` or `since`
 */
export async function filterImages(
  images: readonly ImageRecord[],
  filters: readonly string[],
  client: BoxClient,
): Promise<NamedImage[]> {
  const tests = await Promise.all(filters.map((filter) => testOf(filter, client)));
  const groups = [...Map.groupBy(tests, ({ kind }) => kind)];
  const passes = async (named: NamedImage): Promise<boolean> => {
    for (const [kind, group] of groups) {
      const results = await Promise.all(group.map(async ({ test }) => await test(named)));
      if (kind === 'label' ? results.includes(false) : !results.includes(true)) return false;
    }
    return true;
  };
  const all = images.flatMap((image) => (image.names.length > 0 ? image.names : ['']).map((name) => ({ image, name })));
  const kept = await Promise.all(all.map(passes));
  return all.filter((_, index) => kept[index]);
}

async function testOf(filter: string, client: BoxClient): Promise<{ readonly kind: string; readonly test: Test }> {
  const [, kind = '', value = ''] = /^([a-z]+)=(.+)$/.exec(filter) ?? [];
  switch (kind as (typeof NAMES)[number]) {
    case 'before':
    case 'since': {
      const { created } = await client.images.inspect(value);
      const limit = created?.getTime() ?? 0;
      const its = ({ image }: NamedImage): number => image.created?.getTime() ?? 0;
      return { kind, test: (named) => (kind === 'before' ? its(named) < limit : its(named) > limit) };
    }
    case 'dangling':
      return { kind, test: ({ name }) => (name === '') === booleanOf(value) };
    case 'label':
      return { kind, test: ({ image }) => hasLabel(image, value, client) };
    case 'reference':
      return { kind, test: ({ name }) => name !== '' && isMeant(name, value) };
    case 'until': {
      const limit = parseMoment(value);
      return { kind, test: ({ image }) => BigInt(image.created?.getTime() ?? 0) * NS_PER_MS < limit };
    }
    default:
      throw new BoxError('INVALID_ARGUMENT', `invalid filter '${filter}'`, {
        hint: `give NAME=VALUE; there are ${NAMES.join(', ')}`,
      });
  }
}

/** As Docker has it: a pattern for the repository, or for it and the tag, in full or as it is shown. */
function isMeant(name: string, pattern: string): boolean {
  return [name, familiar(name)].some((it) =>
    [it, splitTag(it)[0]].some((text) => text === pattern || posix.matchesGlob(text, pattern)),
  );
}

async function hasLabel(image: ImageRecord, label: string, client: BoxClient): Promise<boolean> {
  const equals = label.indexOf('=');
  const name = equals < 0 ? label : label.slice(0, equals);
  const { labels } = (await client.images.inspect(image.id)).config;
  return Object.hasOwn(labels, name) && (equals < 0 || labels[name] === label.slice(equals + 1));
}

function booleanOf(value: string): boolean {
  if (value === 'true' || value === '1') return true;
  if (value === 'false' || value === '0') return false;
  throw new BoxError('INVALID_ARGUMENT', `invalid filter 'dangling=${value}'`, { hint: 'give true or false' });
}
