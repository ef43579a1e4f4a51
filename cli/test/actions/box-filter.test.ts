import assert from 'node:assert/strict';
import type { BoxRecord } from '@a3s-box/core/client';
import { BoxFilter } from '../../dist/actions/box-filter.js';
import { aBox, MINUTE, now } from '../support/box-record.ts';

const digits = (pair: string) => pair.repeat(32);
const base = aBox();
function box(
  name: string,
  age: number,
  change: Partial<BoxRecord> = {},
  labels: Record<string, string> = {},
): BoxRecord {
  const created = new Date(now.getTime() - age * MINUTE);
  return aBox({ name, created, ports: [], spec: { ...base.spec, labels }, ...change });
}

const exit = { known: true, code: 3, outOfMemory: false, timedOut: false, timeNs: 0n } as const;
const boxes = [
  box('web', 9, { id: digits('a1'), ports: base.ports }, { app: 'shop', tier: 'front' }),
  box('web-2', 7, { id: digits('a2'), network: 'none', state: 'paused' }, { app: 'shop' }),
  box('job', 5, { id: digits('b1'), state: 'exited', exit }, { app: '' }),
  box('lost', 3, {
    id: digits('b2'),
    state: 'exited',
    exit: { ...exit, known: false },
    imageId: `sha256:${digits('ee')}`,
  }),
  box('old', 1, {
    id: digits('b3'),
    spec: { ...base.spec, image: 'gone:1', labels: {} },
    imageId: `sha256:${digits('dd')}`,
  }),
];
const images = [
  {
    id: base.imageId,
    digest: `sha256:${digits('12')}`,
    names: ['docker.io/a3s/starter:latest'],
    repoDigests: [],
    platform: 'linux/amd64',
    sizeBytes: 1,
  },
];
const pass = (...filters: string[]) => new BoxFilter(filters).select(boxes, { boxes, images }).map(({ name }) => name);

describe('filters of boxes', () => {
  const cases: [filters: string[], names: string[]][] = [
    [[], ['web', 'web-2', 'job', 'lost', 'old']],
    [['name=web'], ['web', 'web-2']],
    [['name=^web$'], ['web']],
    [['name=^/web$'], ['web']],
    [
      ['name=job', 'name=lost'],
      ['job', 'lost'],
    ],
    [['id=a'], ['web', 'web-2']],
    [['id='], []],
    [['label=app'], ['web', 'web-2', 'job']],
    [['label=app=shop'], ['web', 'web-2']],
    [['label=app='], ['job']],
    [['label=app=shop', 'label=tier'], ['web']],
    [['label=constructor'], []],
    [['status=running'], ['web', 'old']],
    [
      ['status=running', 'status=paused'],
      ['web', 'web-2', 'old'],
    ],
    [['status=restarting'], []],
    [['exited=3'], ['job']],
    [['exited=0'], []],
    [['ancestor=a3s/starter'], ['web', 'web-2', 'job']],
    [['ancestor=docker.io/a3s/starter:latest'], ['web', 'web-2', 'job']],
    [['ancestor=cdcdcdcdcdcd'], ['web', 'web-2', 'job']],
    [[`ancestor=${images[0]!.digest}`], ['web', 'web-2', 'job']],
    [['ancestor=gone:1'], ['old']],
    [['ancestor=nothing'], []],
    [['before=job'], ['web', 'web-2']],
    [['since=job'], ['lost', 'old']],
    [
      ['since=web-2', 'before=old'],
      ['job', 'lost'],
    ],
    [['since=a2'], ['job', 'lost', 'old']],
    [['network=none'], ['web-2']],
    [['publish=8080'], ['web']],
    [['publish=8000-9000/tcp'], ['web']],
    [['publish=8080/udp'], []],
    [['publish=5353/udp'], ['web']],
    [['name=web', 'network=default'], ['web']],
    [[' Name = web-2 '], ['web-2']],
  ];
  for (const [filters, names] of cases) {
    it(filters.join(' ') || 'none', () => assert.deepEqual(pass(...filters), names));
  }

  const refused: [filter: string, message: RegExp, code?: string][] = [
    ['name', /filter "name" has no value/],
    ['frob=1', /invalid filter "frob"/],
    ['health=fine', /invalid filter "health=fine"/],
    ['volume=x', /filter "volume" is not supported/, 'UNSUPPORTED'],
    ['status=up', /invalid filter "status=up"/],
    ['exited=x', /invalid filter "exited=x"/],
    ['name=(', /no regular expression/],
    ['publish=x', /invalid filter "publish=x"/],
    ['before=nobody', /there is no box "nobody"/, 'NOT_FOUND'],
    ['since=b', /several boxes/, 'AMBIGUOUS_REFERENCE'],
  ];
  for (const [filter, message, code = 'INVALID_ARGUMENT'] of refused) {
    it(`${filter} is refused`, () => assert.throws(() => pass(filter), { code, message }));
  }
});
