/** `--filter` of `ps`. */
import { BoxError } from '@a3s-box/core';
import type { BoxRecord, BoxState, ImageRecord, PublishedPort } from '@a3s-box/core/client';
import { codeOf } from '../views/box-status.js';
import { isSameName } from '../views/image-name.js';

/** What filters compare with besides the box itself. */
export interface FilterContext {
  /** All of them, whatever their state. */
  readonly boxes: readonly BoxRecord[];
  /** Read only for `ancestor`. */
  readonly images: readonly ImageRecord[];
}

type Test = (box: BoxRecord, context: FilterContext) => boolean;

const NAMES = [
  'id',
  'name',
  'label',
  'status',
  'exited',
  'ancestor',
  'before',
  'since',
  'network',
  'publish',
  'health',
] as const;
type Name = (typeof NAMES)[number];
/** Docker's, without those that are built. */
const UNSUPPORTED = ['expose', 'is-task', 'isolation', 'volume'];
const STATES: readonly BoxState[] = [
  'created',
  'starting',
  'running',
  'paused',
  'stopping',
  'restarting',
  'exited',
  'dead',
];
const HEALTH = ['starting', 'healthy', 'unhealthy', 'none'];
/** States of Docker's that no box is ever in. */
const STATES_ELSEWHERE = ['removing'];

/** Filters of one command line: of one name any has to hold, but every label; all names have to. */
export class BoxFilter {
  readonly #tests: { readonly name: Name; readonly test: Test }[] = [];

  /** @param filters `NAME=VALUE`. @throws INVALID_ARGUMENT, UNSUPPORTED */
  constructor(filters: readonly string[]) {
    for (const filter of filters) {
      const equals = filter.indexOf('=');
      if (equals < 0) throw wrong(`filter "${filter}" has no value`, 'give it as NAME=VALUE');
      const name = nameOf(filter.slice(0, equals).trim().toLowerCase());
      this.#tests.push({ name, test: TESTS[name](filter.slice(equals + 1).trim()) });
    }
  }

  has(name: Name): boolean {
    return this.#tests.some((one) => one.name === name);
  }

  /** The boxes that pass. @throws NOT_FOUND for a box that one of the filters names */
  select(boxes: readonly BoxRecord[], context: FilterContext): BoxRecord[] {
    const groups = [...Map.groupBy(this.#tests, ({ name }) => name)];
    return boxes.filter((box) =>
      groups.every(([name, group]) =>
        name === 'label' ? group.every(({ test }) => test(box, context)) : group.some(({ test }) => test(box, context)),
      ),
    );
  }
}

function nameOf(name: string): Name {
  const known = NAMES.find((one) => one === name);
  if (known) return known;
  if (UNSUPPORTED.includes(name))
    throw new BoxError('UNSUPPORTED', `filter "${name}" is not supported`, { hint: HINT });
  throw wrong(`invalid filter "${name}"`, HINT);
}

const HINT = `there are ${NAMES.join(', ')}`;

const TESTS: Readonly<Record<Name, (value: string) => Test>> = {
  id: (value) => (box) => value !== '' && box.id.startsWith(value),
  name: (value) => {
    const pattern = patternOf(value);
    // Docker's names begin with a slash, and patterns may say so.
    return ({ name }) => pattern.test(name) || pattern.test(`/${name}`);
  },
  label: (value) => {
    const equals = value.indexOf('=');
    const name = equals < 0 ? value : value.slice(0, equals);
    return ({ spec: { labels } }) =>
      Object.hasOwn(labels, name) && (equals < 0 || labels[name] === value.slice(equals + 1));
  },
  status: (value) => {
    if (![...STATES, ...STATES_ELSEWHERE].includes(value)) {
      throw wrong(`invalid filter "status=${value}"`, `there are ${STATES.join(', ')}`);
    }
    return ({ state }) => state === value;
  },
  exited: (value) => {
    if (!/^\d+$/.test(value)) throw wrong(`invalid filter "exited=${value}"`, 'give an exit status');
    return ({ state, exit }) => state === 'exited' && exit !== undefined && codeOf(exit) === Number(value);
  },
  ancestor:
    (value) =>
    (box, { images }) =>
      isOfImage(box, value, images),
  before:
    (value) =>
    (box, { boxes }) =>
      box.created < boxNamed(value, boxes).created,
  since:
    (value) =>
    (box, { boxes }) =>
      box.created > boxNamed(value, boxes).created,
  network:
    (value) =>
    ({ network }) =>
      network === value,
  health: (value) => {
    if (!HEALTH.includes(value)) throw wrong(`invalid filter "health=${value}"`, `there are ${HEALTH.join(', ')}`);
    return ({ health, state }) => (state === 'running' && health ? health.status : 'none') === value;
  },
  publish: (value) => {
    const test = publishTest(value);
    return ({ ports }) => ports.some(test);
  },
};

function patternOf(value: string): RegExp {
  try {
    return new RegExp(value, 'u');
  } catch (cause) {
    throw new BoxError('INVALID_ARGUMENT', `invalid filter "name=${value}": no regular expression`, { cause });
  }
}

function isOfImage({ imageId, spec }: BoxRecord, value: string, images: readonly ImageRecord[]): boolean {
  const digits = value.replace(/^sha256:/, '');
  const isId = /^[0-9a-f]{4,64}$/.test(digits) && imageId.replace(/^sha256:/, '').startsWith(digits);
  const named = images.find(({ names, digest }) => names.some((name) => isSameName(name, value)) || digest === value);
  // An image that lost its name since goes on being the one that was asked for.
  return isId || named?.id === imageId || (named === undefined && isSameName(spec.image, value));
}

function boxNamed(value: string, boxes: readonly BoxRecord[]): BoxRecord {
  const exact = boxes.find(({ id, name }) => name === value || id === value);
  const [first, ...others] = exact ? [exact] : boxes.filter(({ id }) => value !== '' && id.startsWith(value));
  if (first && others.length === 0) return first;
  throw first
    ? new BoxError('AMBIGUOUS_REFERENCE', `several boxes have an id that begins with "${value}"`)
    : new BoxError('NOT_FOUND', `there is no box "${value}"`);
}

function publishTest(value: string): (port: PublishedPort) => boolean {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp))?$/.exec(value);
  if (!match) throw wrong(`invalid filter "publish=${value}"`, 'give PORT or FIRST-LAST, with /tcp or /udp after it');
  const first = Number(match[1]);
  const last = Number(match[2] ?? first);
  const wanted = match[3] ?? 'tcp';
  return ({ hostPort, protocol }) => protocol === wanted && hostPort >= first && hostPort <= last;
}

function wrong(message: string, hint: string): BoxError {
  return new BoxError('INVALID_ARGUMENT', message, { hint });
}
