/** Arguments of scripts/test.ts. */
import { parseArgs } from 'node:util';
import { LANES } from './lanes.ts';

export const USAGE = `usage: npm test -- [LANE...] [FILE...] [--grep PATTERN] [--list]

  LANE            ${LANES.map((lane) => lane.name).join(', ')}; default all but kvm-host-full and peers
  FILE            part of a test file's path, for example core/test/ports
  --grep, -g      only tests whose full title matches this regular expression
  --list          print the test files that would run`;

export interface Selection {
  readonly lanes: readonly string[];
  readonly filters: readonly string[];
  readonly grep?: string;
  readonly list: boolean;
  /** Whether this is everything, so that an empty lane is a fault. */
  readonly complete: boolean;
}

/** @returns the selection, or what is wrong with the arguments. */
export function parseSelection(argv: readonly string[]): Selection | string {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { grep: { type: 'string', short: 'g' }, list: { type: 'boolean', default: false } },
    });
  } catch (error) {
    return (error as Error).message;
  }
  const names = LANES.map((lane) => lane.name);
  const lanes = parsed.positionals.filter((word) => names.includes(word));
  const filters = parsed.positionals.filter((word) => !names.includes(word));
  const { grep, list } = parsed.values;
  const narrowed = filters.length > 0 || grep !== undefined;
  const usual = LANES.filter((lane) => !lane.onDemand);
  const mochaLanes = usual.filter((lane) => lane.kind === 'mocha').map((lane) => lane.name);
  return {
    lanes: lanes.length > 0 ? lanes : narrowed ? mochaLanes : usual.map((lane) => lane.name),
    filters,
    ...(grep === undefined ? {} : { grep }),
    list: list === true,
    complete: !narrowed,
  };
}
