/** `--filter` of `volume ls` and `volume prune`. */
import { BoxError } from '@a3s-box/core';
import type { VolumeRecord } from '@a3s-box/core/client';

type Test = (volume: VolumeRecord) => boolean;

const TESTS: Readonly<Record<string, (value: string) => Test>> = {
  name: (value) => (volume) => volume.name.includes(value),
  driver: (value) => () => value === 'local',
  label: labelTest,
  'label!': (value) => {
    const has = labelTest(value);
    return (volume) => !has(volume);
  },
  dangling: (value) => {
    const wanted = booleanOf(value);
    return ({ boxes }) => (boxes.length === 0) === wanted;
  },
};

/**
 * Of one name any has to hold, but every label; all names have to.
 * @param allowed names of filters @throws INVALID_ARGUMENT
 */
export function volumeFilter(filters: readonly string[], allowed: readonly string[]): Test {
  const tests = filters.map((filter) => {
    const equals = filter.indexOf('=');
    const name = filter.slice(0, Math.max(equals, 0));
    const test = allowed.includes(name) ? TESTS[name] : undefined;
    if (test) return { name, test: test(filter.slice(equals + 1)) };
    throw new BoxError('INVALID_ARGUMENT', `invalid filter '${filter}'`, {
      hint: `give NAME=VALUE; there are ${allowed.join(', ')}`,
    });
  });
  const groups = [...Map.groupBy(tests, ({ name }) => name)];
  return (volume) =>
    groups.every(([name, group]) =>
      name.startsWith('label') ? group.every(({ test }) => test(volume)) : group.some(({ test }) => test(volume)),
    );
}

function labelTest(value: string): Test {
  const equals = value.indexOf('=');
  const name = equals < 0 ? value : value.slice(0, equals);
  return ({ labels }) => Object.hasOwn(labels, name) && (equals < 0 || labels[name] === value.slice(equals + 1));
}

function booleanOf(value: string): boolean {
  if (value === 'true' || value === '1') return true;
  if (value === 'false' || value === '0') return false;
  throw new BoxError('INVALID_ARGUMENT', `invalid filter 'dangling=${value}'`, { hint: 'give true or false' });
}
