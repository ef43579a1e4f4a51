import { BoxError } from '../errors/box-error.js';
import type { NewEvent } from './event.js';

/** `NAME=VALUE` of `--filter`. */
export interface EventFilter {
  readonly name: string;
  readonly value: string;
}

type Test = (event: NewEvent) => boolean;

const TESTS: Readonly<Record<string, (value: string) => Test>> = {
  container: (value) => ofActor('container', value),
  network: (value) => ofActor('network', value),
  snapshot: (value) => ofActor('snapshot', value),
  volume: (value) => ofActor('volume', value),
  event: (value) => {
    // What comes after the colon may be left out.
    return ({ action }) => action === value || action.split(':', 1)[0] === value;
  },
  image: (value) => {
    return ({ type, actor, attributes }) => {
      const name = type === 'image' ? attributes['name'] : type === 'container' ? attributes['image'] : undefined;
      const names = name === undefined ? [] : [name, withoutTag(name)];
      return (type === 'image' && actor.startsWith(value)) || names.includes(value);
    };
  },
  label: (value) => {
    const equals = value.indexOf('=');
    const name = equals < 0 ? value : value.slice(0, equals);
    return ({ attributes }) =>
      Object.hasOwn(attributes, name) && (equals < 0 || attributes[name] === value.slice(equals + 1));
  },
  scope: (value) => () => value === 'local',
  type: (value) => {
    return ({ type }) => type === value;
  },
};

/**
 * What events have to be: of one name any filter has to hold, but every label; all names have to.
 * @throws INVALID_ARGUMENT for a name that there is not
 */
export function eventTest(filters: readonly EventFilter[]): Test {
  const tests = filters.map(({ name, value }) => {
    const make = Object.hasOwn(TESTS, name) ? TESTS[name] : undefined;
    if (make && value !== '') return { name, test: make(value) };
    throw new BoxError('INVALID_ARGUMENT', `invalid filter "${name}=${value}"`, {
      hint: `give NAME=VALUE; there are ${Object.keys(TESTS).join(', ')}`,
    });
  });
  const groups = [...Map.groupBy(tests, ({ name }) => name)];
  return (event) =>
    groups.every(([name, group]) =>
      name === 'label' ? group.every(({ test }) => test(event)) : group.some(({ test }) => test(event)),
    );
}

/** By id or name, or how one of them begins, as in Docker. */
function ofActor(wanted: string, value: string): Test {
  return ({ type, actor, attributes }) =>
    type === wanted && (actor.startsWith(value) || (attributes['name'] ?? '').startsWith(value));
}

/** `a3s/starter:latest` as `a3s/starter`; a port of a registry stays. */
function withoutTag(reference: string): string {
  const [name = ''] = reference.split('@');
  const colon = name.lastIndexOf(':');
  return colon > name.lastIndexOf('/') ? name.slice(0, colon) : name;
}
