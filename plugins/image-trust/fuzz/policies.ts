/** Any text is taken for an image policy, whose rules are then found by their names, or refused with a clear error. */
import assert from 'node:assert/strict';
import { isBoxError } from '@a3s-box/core';
import { decide } from '../dist/policy.js';
import { parsePolicy } from '../dist/policy-file.js';

export const dictionary = [
  ...['version: 1', 'default:', 'rules:', 'trustRoot:', 'type:', 'accept', 'reject', 'keyless', 'key', 'warn: true'],
  ...[
    'keys:',
    'log: required',
    'identities:',
    'subject:',
    'subjectPattern:',
    'issuer:',
    '&a',
    '*a',
    '<<:',
    '!!js',
    '{',
    '[',
  ],
];

export function* seeds(): Generator<readonly [name: string, input: Buffer]> {
  yield ['open', Buffer.from('version: 1\ndefault: { type: accept, warn: true }\n')];
  yield [
    'closed',
    Buffer.from('{"version":1,"default":{"type":"reject","reason":"no"},"rules":{"a.example/b":{"type":"accept"}}}'),
  ];
  const identity = 'identities: [{ subjectPattern: ".*", issuer: https://a.example }]';
  yield [
    'keyless',
    Buffer.from(`version: 1\ntrustRoot: { root: r.json, repository: tuf }\ndefault: { type: keyless, ${identity} }\n`),
  ];
}

export async function fuzz(input: Buffer): Promise<void> {
  try {
    const readText = async (): Promise<string> => '';
    const policy = await parsePolicy(input.toString(), { name: 'policy', directory: '/nowhere', readText });
    for (const [prefix, rule] of policy.rules) assert.equal(decide(policy, `${prefix}/app`).rule, rule);
  } catch (error) {
    if (!isBoxError(error) || error.code !== 'IMAGE_POLICY_INVALID') throw error;
    assert.ok(error.message.length < 5000, 'a message of bounded length');
  }
}
