import assert from 'node:assert/strict';
import { checkDockerfile, readDockerfile, showFaults } from '../../dist/index.js';

function warnings(text: string): string[] {
  const reading = readDockerfile(text);
  if (reading.kind === 'faults') assert.fail(showFaults('Dockerfile', text, reading.faults));
  return checkDockerfile(reading.dockerfile).map(({ rule, line, column }) => `${rule} ${line}:${column}`);
}

describe('checking a Dockerfile', () => {
  const cases: readonly (readonly [text: string, found: readonly string[]])[] = [
    ['FROM a AS b\nRUN x\nCMD ["y"]', []],
    ['FROM a\nrun x\nRUN y', ['ConsistentInstructionCasing 2:1']],
    ['from a as b\nrun x\nUSER y', ['ConsistentInstructionCasing 3:1']],
    ['FROM a as b', ['FromAsCasing 1:1']],
    ['FROM a AS Base', ['StageNameCasing 1:1']],
    ['FROM a\nENV A b\nLABEL c d', ['LegacyKeyValueFormat 2:1', 'LegacyKeyValueFormat 3:1']],
    ['FROM a\nMAINTAINER x', ['MaintainerDeprecated 2:1']],
    ['FROM a\nCMD x', ['JSONArgsRecommended 2:1']],
    ['FROM a\nSHELL ["/bin/bash", "-c"]\nCMD x', []],
    ['FROM a\nEXPOSE 80/TCP 81/udp', ['ExposeProtoCasing 2:8']],
    ['FROM a AS x\nFROM b AS x', ['DuplicateStageName 2:1']],
    ['FROM a AS scratch', ['ReservedStageName 1:1']],
    ['FROM --platform=linux/amd64 a', ['FromPlatformFlagConstDisallowed 1:17']],
    ['FROM --platform=linux/amd64 a AS x-amd64\nFROM --platform=$BUILDPLATFORM a', []],
    ['FROM --platform=$TARGETPLATFORM a', ['RedundantTargetPlatform 1:17']],
    ['FROM a\nCMD ["x"]\nCMD ["y"]', ['MultipleInstructionsDisallowed 2:1']],
    ['FROM a\nWORKDIR x\nWORKDIR /y\nWORKDIR z', ['WorkdirRelativePath 2:1']],
    ['FROM a\nARG API_TOKEN\nENV PASSWORD=x PUBLIC_KEY=y', ['SecretsUsedInArgOrEnv 2:5', 'SecretsUsedInArgOrEnv 3:5']],
    ['ARG V=1\nFROM a:$V$W', ['UndefinedArgInFrom 2:6']],
    ['ARG V\nFROM a:$V', ['InvalidDefaultArgInFrom 2:6']],
    ['ARG V\nFROM a${V:+:$V}', []],
    ['ARG V\nFROM a:${V:?which}', []],
    ['FROM scratch\nENV A=$B\nENV C=$A', ['UndefinedVar 2:7']],
    ['FROM scratch AS x\nARG A\nFROM x\nUSER $A\nUSER $B', ['UndefinedVar 5:6']],
    ['ARG A=1\nFROM a:$A\nUSER $A\nARG A\nUSER $A$B', ['UndefinedVar 3:6']],
    ['# check=skip=JSONArgsRecommended,StageNameCasing\nFROM a AS X\nCMD x', []],
    ['# check=skip=all\nFROM a AS X\nCMD x', []],
  ];
  for (const [text, found] of cases)
    it(`finds ${found.join(', ') || 'nothing'} in ${JSON.stringify(text)}`, () =>
      assert.deepEqual(warnings(text), found));

  it('reads the directive as a whole or not at all', () => {
    const reading = readDockerfile('# check=error=true;skip=all\nFROM a');
    assert.ok(reading.kind === 'dockerfile');
    assert.deepEqual(reading.dockerfile.checks, { skip: 'all', error: true });
    const faulty = readDockerfile('# check=warn\nFROM a');
    assert.ok(faulty.kind === 'faults');
    assert.match(faulty.faults[0]?.message ?? '', /skip=RULE/);
  });
});
