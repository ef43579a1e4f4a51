import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import fc from 'fast-check';
import { applyPolicies } from '../dist/apply-policy.js';
import { decide, ruleId, type Policy } from '../dist/policy.js';
import { parsePolicy } from '../dist/policy-file.js';
import { parseTrustRoot } from '../dist/trust-root.js';
import { keyPair } from './support/certificates.ts';
import { FakeSigstore, makeBundle } from './support/fake-sigstore.ts';
import { MemoryRegistry } from './support/memory-registry.ts';

const sigstore = new FakeSigstore();
const trusted = keyPair();
const pem = trusted.publicKey.export({ format: 'pem', type: 'spki' }).toString();
const FILES: Readonly<Record<string, string>> = { '/etc/keys/release.pub': pem, '/etc/keys/bad.pub': 'no key' };

function parse(text: string): Promise<Policy> {
  return parsePolicy(text, {
    name: 'policy.yaml',
    directory: '/etc/keys',
    readText: async (path) => FILES[path] ?? assert.fail(`no file ${path}`),
  });
}

const open: Policy = { name: 'open', fallback: { type: 'accept', warn: false }, rules: new Map() };

const POLICY = `
version: 1
trustRoot: trusted_root.json
default: { type: reject, reason: ask the platform team }
rules:
  docker.io/library: { type: accept, warn: true }
  registry.example: { type: key, keys: [release.pub] }
  registry.example/open: { type: accept }
  registry.example/logged: { type: key, keys: [release.pub], log: required }
  ghcr.io/acme:
    type: keyless
    identities:
      - subjectPattern: '.*@example\\.com'
        issuer: https://accounts.example
`;

describe('image policies', () => {
  it('takes the rule with the longest prefix that ends where a part of the name ends', async () => {
    const policy = await parse(POLICY);
    const typeOf = (repository: string): string =>
      `${decide(policy, repository).prefix}: ${decide(policy, repository).rule.type}`;
    assert.equal(typeOf('docker.io/library/alpine'), 'docker.io/library: accept');
    assert.equal(typeOf('docker.io/library2/alpine'), 'undefined: reject');
    assert.equal(typeOf('registry.example/app'), 'registry.example: key');
    assert.equal(typeOf('registry.example/open'), 'registry.example/open: accept');
    assert.equal(typeOf('registry.example/opened'), 'registry.example: key');
    assert.equal(typeOf('registry.example:5000/app'), 'undefined: reject');
    assert.equal(typeOf('ghcr.io/acme/a/b/c'), 'ghcr.io/acme: keyless');
  });

  it('decides as a search through all prefixes would', async () => {
    const { fallback, name } = await parse(POLICY);
    const part = fc.constantFrom('a', 'b', 'ab');
    const names = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
    fc.assert(
      fc.property(names, fc.uniqueArray(names, { maxLength: 6 }), (repository, prefixes) => {
        const rules = new Map(prefixes.map((prefix) => [prefix, { type: 'reject', reason: prefix } as const]));
        const expected = prefixes
          .filter((prefix) => `${repository}/`.startsWith(`${prefix}/`))
          .sort((a, b) => b.length - a.length)[0];
        assert.equal(decide({ name, fallback, rules }, repository).prefix, expected);
      }),
    );
  });

  it('reads JSON as well, indented by tabs or not', async () => {
    const document = { version: 1, default: { type: 'accept' }, rules: { 'a.example': { type: 'key', keys: [pem] } } };
    for (const indent of [undefined, 2, '\t']) {
      assert.equal((await parse(JSON.stringify(document, null, indent))).rules.get('a.example')?.type, 'key');
    }
  });

  it('names the place of what is wrong', async () => {
    const wrong = async (text: string, message: RegExp): Promise<void> => {
      await assert.rejects(parse(text), { code: 'IMAGE_POLICY_INVALID', message });
    };
    await wrong('{', /neither JSON nor YAML/);
    await wrong('[]', /the document must be object/);
    await wrong('version: 2\ndefault: {type: accept}', /version must be 1/);
    await wrong('version: 1', /the document lacks "default"/);
    await wrong('version: 1\ndefault: {type: accept}\nmore: 1', /the document has an unknown property "more"/);
    await wrong('version: 1\ndefault: {type: maybe}', /default\.type must be one of/);
    await wrong('version: 1\ndefault: {type: accept}\ndefault: {type: reject}', /unique/);
    await wrong('version: 1\ndefault: &a {type: accept}\nrules: {x: *a}', /has aliases/);
    await wrong('version: 1\ndefault: {type: accept, keys: [a]}', /default has an unknown property "keys"/);
    const rule = (text: string): string => `version: 1\ndefault: {type: accept}\nrules: {${text}}`;
    await wrong(rule('"a.example/": {type: reject}'), /rules\["a.example\/"\] is no registry or repository/);
    await wrong(rule('"a/b:1": {type: reject}'), /rules\["a\/b:1"\] is no registry or repository/);
    await wrong(rule('a: {type: key, keys: [bad.pub]}'), /rules\["a"\]\.keys\[0\] public key is not in PEM/);
    await wrong(rule('a: {type: key, keys: [none.pub]}'), /rules\["a"\]\.keys\[0\] cannot be read/);
    await wrong(rule('a: {type: key, keys: []}'), /rules\.a\.keys must NOT have fewer than 1 items/);
    await wrong(rule('a: {type: key, keys: [release.pub], log: required}'), /rules\["a"\] needs the trustRoot/);
    await wrong(rule('a: {type: keyless, identities: [{subject: a, issuer: b}]}'), /rules\["a"\] needs the trustRoot/);
    await wrong(rule('a: {type: keyless, identities: [{subject: a}]}'), /rules\.a\.identities\[0\] lacks "issuer"/);
    const keyless =
      'trustRoot: t\nversion: 1\ndefault: {type: keyless, identities: [{subjectPattern: "(", issuer: b}]}';
    await wrong(keyless, /default\.identities\[0\]\.subjectPattern is no regular expression/);
  });
});

describe('images under a policy', () => {
  const registry = new MemoryRegistry(true);
  const trustRootOf = async (): Promise<ReturnType<typeof parseTrustRoot>> =>
    parseTrustRoot(Buffer.from(JSON.stringify(sigstore.trustedRoot())));

  async function admit(repository: string, policies: readonly Policy[]): Promise<string> {
    const { digest } = await registry.putImage();
    const { signatures, rules, unverified } = await applyPolicies(policies, {
      repository,
      digests: [digest],
      source: async () => registry,
      trustRootOf,
    });
    assert.equal(rules.length, signatures.length);
    // What is known to be fulfilled is not looked for again.
    const source = (): Promise<never> => assert.fail('asks for a signature');
    const fulfilled = new Set(rules);
    await applyPolicies(policies, { repository, digests: [digest], source, trustRootOf, fulfilled });
    return unverified ? 'unverified' : signatures.map(({ signer }) => signer.kind).join();
  }

  it('lets unsigned images through where a policy does, and tells of it where that is wanted', async () => {
    assert.equal(
      await admit('a.example/app', [await parse('version: 1\ndefault: {type: accept, warn: true}')]),
      'unverified',
    );
    assert.equal(await admit('a.example/app', [open]), '');
  });

  it('names equal rules equally, and others differently', async () => {
    const ids = async (text: string): Promise<string[]> => {
      const policy = await parse(text);
      return [...policy.rules.values()].map((rule) => ruleId(policy, rule));
    };
    const key = (file: string): string => `{type: key, keys: [${file}]}`;
    const head = 'version: 1\ndefault: {type: accept}\n';
    const [one, same, other] = await ids(
      `${head}rules: {a: ${key('release.pub')}, b: ${key(JSON.stringify(pem))}, c: {type: reject}}`,
    );
    assert.equal(one, same);
    assert.notEqual(one, other);
    const keyless = (subject: string): string =>
      `${head}trustRoot: t\nrules: {a: {type: keyless, identities: [{${subject}, issuer: b}]}}`;
    assert.notDeepEqual(await ids(keyless('subject: a')), await ids(keyless('subjectPattern: a')));
    assert.notDeepEqual(
      await ids(keyless('subject: a')),
      await ids(keyless('subject: a').replace('trustRoot: t', 'trustRoot: u')),
    );
  });

  it('asks for what each policy asks for, the locked one too', async () => {
    const policy = await parse(POLICY);
    await assert.rejects(admit('other.example/app', [policy]), {
      code: 'IMAGE_REJECTED',
      message: /ask the platform team/,
    });
    await assert.rejects(admit('registry.example/app', [policy]), { code: 'IMAGE_UNSIGNED' });
    assert.equal(await admit('registry.example/open', [policy]), '');
    const subject = await registry.putImage();
    await registry.putBundle(subject, makeBundle(sigstore, { digest: subject.digest, signer: keyPair() }));
    await assert.rejects(admit('registry.example/app', [policy]), { code: 'SIGNATURE_INVALID' });
    await registry.putBundle(subject, makeBundle(sigstore, { digest: subject.digest, signer: trusted, log: false }));
    assert.equal(await admit('registry.example/app', [policy]), 'key');
    await assert.rejects(admit('registry.example/logged', [policy]), { code: 'LOG_PROOF_MISSING' });
    assert.equal(await admit('registry.example/app', [open, policy]), 'key');
    await assert.rejects(admit('other.example/app', [open, policy]), { code: 'IMAGE_REJECTED' });
    await assert.rejects(admit('ghcr.io/acme/app', [policy]), { code: 'SIGNER_UNTRUSTED' });
    await registry.putBundle(subject, makeBundle(sigstore, { digest: subject.digest, signer: sigstore.certificate() }));
    assert.equal(await admit('ghcr.io/acme/app', [policy]), 'certificate');
  });
});
