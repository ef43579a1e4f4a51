import assert from 'node:assert/strict';
import { Fault } from '../../dist/dockerfile/fault.js';
import { readDockerfile } from '../../dist/index.js';
import { ArgumentScope, unusedArguments } from '../../dist/plan/argument-scope.js';
import { stageGraph } from '../../dist/plan/stage-graph.js';

const PLATFORM = { os: 'linux', architecture: 'amd64' };

function graph(text: string, given: Readonly<Record<string, string>> = {}, target?: string) {
  const reading = readDockerfile(text);
  assert.ok(reading.kind === 'dockerfile', JSON.stringify(reading));
  const platforms = { build: PLATFORM, target: { os: 'linux', architecture: 'arm64', variant: 'v8' } };
  return stageGraph(reading.dockerfile, { arguments: given, ...platforms }, target);
}

describe('stages of a Dockerfile', () => {
  it('are built from images, from nothing and from one another', () => {
    const { stages, target, order } = graph(
      'ARG V=12\nFROM debian:$V AS a\nFROM A AS b\nFROM unused\nFROM scratch\nCOPY --from=b x /\nCOPY --from=0 x /\nCOPY --from=busybox x /\n',
    );
    assert.deepEqual(
      stages.map(({ base }) => base),
      [
        { kind: 'image', name: 'debian:12' },
        { kind: 'stage', index: 0 },
        { kind: 'image', name: 'unused' },
        { kind: 'scratch' },
      ],
    );
    assert.deepEqual([target, order, [...(stages[3]?.needs ?? [])]], [3, [0, 1, 3], [1, 0]]);
  });

  it('end at the one that is wanted', () => {
    const text = 'FROM x AS a\nFROM a AS b\nRUN --mount=from=a,target=/a true\nFROM y AS c';
    assert.deepEqual([graph(text).order, graph(text, {}, 'B').order, graph(text, {}, '0').order], [[2], [0, 1], [0]]);
    assert.throws(
      () => graph(text, {}, 'd'),
      new Fault({ line: 1, column: 1 }, 'there is no stage d; the file has a, b, c'),
    );
  });

  it('heed the arguments and platforms of the build', () => {
    const text =
      'ARG V=1\nARG W=$V.0\nFROM --platform=$BUILDPLATFORM a:$W\nFROM --platform=$TARGETPLATFORM b:${V:?which}';
    const { stages } = graph(text, { V: '2' });
    assert.deepEqual(
      stages.map(({ base, platform }) => [base.kind === 'image' && base.name, platform]),
      [
        ['a:2.0', 'linux/amd64'],
        ['b:2', 'linux/arm64/v8'],
      ],
    );
    assert.throws(() => graph(text, { V: '' }), new Fault({ line: 4, column: 33 }, 'V: which'));
  });

  it('cannot be made from what is not there', () => {
    assert.throws(() => graph('FROM ${A}'), /\$\{A\} is empty/);
    assert.throws(() => graph('FROM a\nCOPY --from=1 x /'), /no stage 1 before/);
    assert.throws(() => graph('FROM a\nFROM b\nCOPY --from=1 x /'), /no stage 1 before/);
  });
});

describe('arguments', () => {
  const given = { arguments: { A: 'given', HTTP_PROXY: 'p', OTHER: 'o' }, build: PLATFORM, target: PLATFORM };
  const reading = readDockerfile('ARG A=a\nARG B=b\nFROM x\nARG A=default\nARG B\nARG C=$A-$B\nARG D\nARG TARGETARCH');
  assert.ok(reading.kind === 'dockerfile');
  const { globals, stages } = reading.dockerfile;
  const outer = new ArgumentScope(given);
  for (const it of globals) outer.declare(it, () => undefined);

  it('count from where they are declared', () => {
    const inner = new ArgumentScope(given, outer);
    assert.deepEqual(
      [inner.get('A'), inner.get('TARGETARCH'), inner.environment],
      [undefined, undefined, { HTTP_PROXY: 'p' }],
    );
    for (const it of stages[0]?.instructions ?? []) if (it.kind === 'arg') inner.declare(it, (name) => inner.get(name));
    assert.deepEqual(inner.environment, { HTTP_PROXY: 'p', A: 'given', B: 'b', C: 'given-b', TARGETARCH: 'amd64' });
  });

  it('that nothing asks for are told', () => {
    assert.deepEqual(unusedArguments(given.arguments, [...globals, ...(stages[0]?.instructions ?? [])]), ['OTHER']);
  });
});
