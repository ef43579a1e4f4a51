import assert from 'node:assert/strict';
import type { ImageConfig } from '@a3s-box/core';
import { Fault } from '../../dist/dockerfile/fault.js';
import { readDockerfile } from '../../dist/index.js';
import { ArgumentScope } from '../../dist/plan/argument-scope.js';
import { StageState } from '../../dist/plan/stage-state.js';

const EMPTY: ImageConfig = { env: [], exposedPorts: [], volumes: [], labels: {} };
const PLATFORM = { os: 'linux', architecture: 'amd64' };

function state(text: string, base: ImageConfig = EMPTY): StageState {
  const reading = readDockerfile(`FROM x\n${text}`);
  assert.ok(reading.kind === 'dockerfile', JSON.stringify(reading));
  const result = new StageState(
    base,
    new ArgumentScope({ arguments: { GIVEN: 'g' }, build: PLATFORM, target: PLATFORM }),
  );
  for (const instruction of reading.dockerfile.stages[0]?.instructions ?? []) result.configure(instruction);
  return result;
}

describe('the config of a stage', () => {
  it('has variables as they were when their instruction began', () => {
    const { config } = state('ENV A=hello\nENV A=bye B=$A\nENV C=$A PATH=/x:$PATH', { ...EMPTY, env: ['PATH=/bin'] });
    assert.deepEqual(config.env, ['PATH=/x:/bin', 'A=bye', 'B=hello', 'C=bye']);
  });

  it('has the image’s variables before arguments of the same name', () => {
    const { config, scope } = state('ARG GIVEN\nARG D=$GIVEN\nENV A=$GIVEN-$D\nENV GIVEN=e\nENV B=$GIVEN');
    assert.deepEqual([config.env, scope.get('D')], [['A=g-g', 'GIVEN=e', 'B=e'], 'g']);
  });

  it('has the directory, the user, labels, ports and volumes', () => {
    const { config, author } = state(
      'WORKDIR /a\nWORKDIR b/../c\nUSER u:g\nLABEL a=1 "b c"="d e"\nLABEL a=2\nEXPOSE 80 81-82/UDP 80/tcp\nVOLUME /v ["x"\nVOLUME ["/v", "/w"]\nSTOPSIGNAL SIGINT\nMAINTAINER Me <m@example.com>\nONBUILD RUN $X',
    );
    assert.deepEqual(config, {
      env: [],
      workingDir: '/a/c',
      user: 'u:g',
      labels: { a: '2', 'b c': 'd e' },
      exposedPorts: ['80/tcp', '81/udp', '82/udp'],
      volumes: ['/v', '[x', '/w'],
      stopSignal: 'SIGINT',
      onBuild: ['RUN $X'],
    });
    assert.equal(author, 'Me <m@example.com>');
  });

  it('has programs in the shell of the moment', () => {
    assert.deepEqual(state('CMD a $B').config.cmd, ['/bin/sh', '-c', 'a $B']);
    assert.deepEqual(state('SHELL ["/bin/bash", "-ec"]\nENTRYPOINT a').config.entrypoint, ['/bin/bash', '-ec', 'a']);
    assert.deepEqual(state('CMD ["a", "$B"]').config.cmd, ['a', '$B']);
    assert.deepEqual(state('CMD []').config.cmd, []);
  });

  it('keeps the program of the image below only for its own entry point', () => {
    const base = { ...EMPTY, cmd: ['base'] };
    assert.deepEqual(state('USER x', base).config.cmd, ['base']);
    assert.equal(state('ENTRYPOINT ["e"]', base).config.cmd, undefined);
    assert.deepEqual(state('CMD ["c"]\nENTRYPOINT ["e"]', base).config.cmd, ['c']);
  });

  it('has the health check', () => {
    assert.deepEqual(
      state('HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=0 --retries=2 CMD a b').config.healthcheck,
      {
        test: ['CMD-SHELL', 'a b'],
        intervalNs: 90e9,
        timeoutNs: 500e6,
        startPeriodNs: 0,
        retries: 2,
      },
    );
    assert.deepEqual(state('HEALTHCHECK CMD ["a"]').config.healthcheck, { test: ['CMD', 'a'] });
    assert.deepEqual(state('HEALTHCHECK NONE').config.healthcheck, { test: ['NONE'] });
  });

  const faulty: readonly (readonly [text: string, column: number, message: string])[] = [
    ['ENV ${A}=b', 5, '${A} is empty here'],
    ['USER $A', 6, '$A is empty here'],
    ['WORKDIR ${A:?where}', 9, 'A: where'],
    ['EXPOSE 80:80', 8, '80:80 is no port: write NUMBER, or NUMBER-NUMBER, and perhaps /udp'],
    ['EXPOSE 1 70000', 10, '70000 is no port: write NUMBER, or NUMBER-NUMBER, and perhaps /udp'],
    ['STOPSIGNAL %', 12, '% is no signal'],
    ['HEALTHCHECK --interval=5 CMD a', 24, '5 is no duration such as 30s or 1m30s'],
    ['HEALTHCHECK --interval=5ns CMD a', 24, '5ns is shorter than a millisecond'],
    ['HEALTHCHECK --retries=0 CMD a', 23, '0 is no number of attempts'],
  ];
  for (const [text, column, message] of faulty) {
    it(`cannot be made with ${text}`, () => assert.throws(() => state(text), new Fault({ line: 2, column }, message)));
  }
});
