/**
 * Any text is a Dockerfile, or has faults whose places are in it. Of one that is read every word can be put together whatever the
 * variables are, every check can be made, and what is shown of it changes no terminal. So with files of what to ignore.
 */
import assert from 'node:assert/strict';
import { isIgnored, readIgnoreFile, type IgnoreRule } from '../dist/context/ignore-file.js';
import { DemandedVariable, expand, variablesOf, type Template } from '../dist/dockerfile/template.js';
import { wordsOf } from '../dist/dockerfile/words-of.js';
import { checkDockerfile, readDockerfile, showFaults } from '../dist/index.js';

const FLAGS = [
  '--from=',
  '--chown=',
  '--mount=type=cache,target=',
  '--platform=',
  '--link',
  '--interval=',
  '--exclude=',
];

export const dictionary = [
  ...[
    'FROM ',
    'RUN ',
    'COPY ',
    'ADD ',
    'ENV ',
    'ARG ',
    'LABEL ',
    'ONBUILD ',
    'HEALTHCHECK ',
    'SHELL ',
    'EXPOSE ',
    ' AS ',
  ],
  ...[
    '# escape=`',
    '# syntax=',
    '# check=skip=',
    '<<EOF',
    '<<-"EOF"',
    '\nEOF\n',
    '\\\n',
    '${',
    ':-',
    ':?',
    '##',
    '//',
    '["',
    '"]',
  ],
  ...['**', '!', '[^', '/../', ...FLAGS],
];

export function* seeds(): Generator<readonly [name: string, input: Buffer]> {
  yield ['small', Buffer.from('FROM scratch\nCOPY a /\nCMD ["/a"]\n')];
  yield [
    'stages',
    Buffer.from(
      'ARG V=12\nFROM debian:${V:-11} AS base\nRUN --mount=type=cache,target=/c,id=a apt-get update && \\\n  # comment\n  true\nFROM base\nCOPY --from=base --chown=1:2 ["a b", "/x/"]\n',
    ),
  ];
  yield [
    'documents',
    Buffer.from('FROM a\nRUN <<EOF\n#!/bin/sh\necho $X\nEOF\nCOPY <<-"b" <<c /d/\n\tx\n\tb\n$Y ${Z#*/}\nc\n'),
  ];
  yield [
    'settings',
    Buffer.from(
      'FROM a\nENV A=b C="d $A" E=f\\ g\nENV H i j\nHEALTHCHECK --interval=5s CMD curl x\nONBUILD COPY . /\nEXPOSE 80/tcp\nVOLUME ["/v"]\nUSER a:b\nWORKDIR ${A//b/c}\n',
    ),
  ];
  yield ['ignored', Buffer.from('*\n!a/**/b?[c-d]\n# x\n/e\\*\n')];
}

export function fuzz(input: Buffer): void {
  const text = input.toString('utf8');
  ignore(text);
  const reading = readDockerfile(text);
  if (reading.kind === 'faults') {
    assert.ok(reading.faults.length > 0);
    const lines = text.split(/\r?\n/);
    for (const { line, column } of reading.faults) {
      assert.ok(line >= 1 && line <= lines.length, `line ${line}`);
      assert.ok(column >= 1 && column <= (lines[line - 1]?.length ?? 0) + 1, `column ${column} of line ${line}`);
    }
    assert.doesNotMatch(showFaults('Dockerfile', text, reading.faults).replace(/[\n\t]/g, ''), /\p{Cc}/u);
    return;
  }
  const { globals, stages } = reading.dockerfile;
  const instructions = [...globals, ...stages.flatMap((stage) => [stage.from, ...stage.instructions])];
  for (const word of instructions.flatMap(wordsOf)) together(word);
  for (const { rule } of checkDockerfile(reading.dockerfile)) assert.match(rule, /^\w+$/);
}

function together(template: Template): void {
  const names = variablesOf(template);
  for (const value of [undefined, '', 'a/b.c', '*?\\']) {
    try {
      assert.equal(typeof expand(template, (name) => (names.includes(name) ? value : assert.fail(name))), 'string');
    } catch (error) {
      if (!(error instanceof DemandedVariable)) throw error;
    }
  }
}

function ignore(text: string): void {
  const rules = readIgnoreFile(text);
  if (!rules.every((rule): rule is IgnoreRule => 'test' in rule)) return;
  for (const path of ['a', 'a/b', 'a/x/bqc', '.hidden/a']) assert.equal(typeof isIgnored(rules, path), 'boolean');
}
