/**
 * Any text is taken for an image's name, or refused with a clear error. A name that is taken means the same when it is
 * written out in full, and leads to the registry that it names and no other. So with the answer of a registry that
 * wants a token.
 */
import assert from 'node:assert/strict';
import { isBoxError } from '@a3s-box/core';
import { fullName, parseReference, repositoryOf, type Reference } from '../dist/reference.js';
import { mayFollow, registryAddress } from '../dist/registry-address.js';
import { parseChallenges } from '../dist/registry-challenge.js';

export const dictionary = [
  ...[
    'docker.io/',
    'index.docker.io/',
    'library/',
    'localhost:5000/',
    '127.0.0.1',
    '[::1]:5000/',
    ':latest',
    'Bearer ',
  ],
  ...[
    `@sha256:${'0'.repeat(64)}`,
    '__',
    '..',
    '//',
    'realm="https://',
    'service="',
    'scope="',
    '",',
    'https://',
    'http://',
  ],
];

const SEEDS = [
  ...[
    'alpine',
    'alpine:3.20',
    'library/alpine',
    'docker.io/a/b:c',
    'index.docker.io/x',
    'localhost/x',
    'localhost:5000/a/b',
  ],
  ...[
    '127.0.0.1:5000/a',
    '[::1]:5000/a',
    `a@sha256:${'a'.repeat(64)}`,
    `ghcr.io/a/b.c__d-e:T.1@sha256:${'b'.repeat(64)}`,
  ],
  ...[
    'Bearer realm="https://auth.example/token",service="reg",scope="a:b"',
    'Basic realm="x"',
    'UPPER/x',
    'a/../b',
    '',
  ],
];

export function* seeds(): Generator<readonly [name: string, input: Buffer]> {
  for (const [index, text] of SEEDS.entries()) yield [String(index), Buffer.from(text)];
}

export function fuzz(input: Buffer): void {
  const text = input.toString('utf8');
  const reference = parsed(() => parseReference(text));
  if (reference !== undefined) check(reference);
  const name = parsed(() => fullName(text));
  if (name !== undefined) assert.equal(fullName(name), name);
  const named =
    parseChallenges(text)
      .find(({ scheme }) => scheme === 'bearer')
      ?.parameters.get('realm') ?? '';
  const realm = URL.canParse(named) ? new URL(named) : undefined;
  if (realm === undefined) return;
  const https = new URL('https://registry.example/');
  if (mayFollow(https, realm)) assert.ok(realm.protocol === 'https:' && realm.username === '' && realm.password === '');
}

function check(reference: Reference): void {
  const { tag, digest, domain, path } = reference;
  const whole = `${repositoryOf(reference)}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
  assert.deepEqual(parseReference(whole), reference);
  assert.ok(
    path.split('/').every((part) => /^[a-z0-9][a-z0-9._-]*$/.test(part)),
    path,
  );
  for (const plainHttp of [false, true]) {
    const address = parsed(() => registryAddress(domain, { plainHttp }));
    if (address === undefined) continue;
    assert.equal(address.username + address.password + address.search + address.hash, '');
    const url = new URL(`/v2/${path}/manifests/${tag ?? digest}`, address);
    assert.equal(url.origin, address.origin);
    assert.equal(url.pathname, `/v2/${path}/manifests/${tag ?? digest}`);
    // A literal of IPv6 has many spellings.
    if (domain === 'docker.io' || domain.startsWith('[')) continue;
    const [host = '', port] = domain.split(':');
    assert.equal(address.hostname, host.toLowerCase());
    assert.equal(
      Number(address.port === '' ? (plainHttp ? 80 : 443) : address.port),
      Number(port ?? (plainHttp ? 80 : 443)),
    );
  }
}

function parsed<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (!isBoxError(error) || !['INVALID_REFERENCE', 'INVALID_ARGUMENT'].includes(error.code)) throw error;
    assert.doesNotMatch(error.message, /\p{Cc}/u);
    return undefined;
  }
}
