import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { bundleClaim, simpleClaim, type Claim } from '../dist/candidates.js';
import { parseTrustRoot } from '../dist/trust-root.js';
import { verifyClaim } from '../dist/verify-image.js';
import type { Requirement, Signer } from '../dist/requirement.js';
import { authority, keyPair } from './support/certificates.ts';
import { FakeSigstore, makeBundle, makeSimple, type BundleOptions } from './support/fake-sigstore.ts';

const DIGEST = `sha256:${'ab'.repeat(32)}`;
const sigstore = new FakeSigstore();
const trustRoot = parseTrustRoot(Buffer.from(JSON.stringify(sigstore.trustedRoot())));
const keyless: Requirement = {
  kind: 'keyless',
  trustRoot,
  identities: [{ subject: { is: 'dev@example.com' }, issuer: { is: 'https://accounts.example' } }],
};

function verifyBundle(bundle: unknown, requirement: Requirement, digest = DIGEST): Signer {
  return verifyClaim(bundleClaim(Buffer.from(JSON.stringify(bundle))), digest, requirement);
}

function refused(code: string, act: () => unknown): void {
  assert.throws(act, { code });
}

const bundleOf = (options: Partial<BundleOptions> = {}): Record<string, unknown> =>
  makeBundle(sigstore, { digest: DIGEST, signer: sigstore.certificate(), ...options });

describe('bundles of sigstore', () => {
  it('verifies one by a certificate of Fulcio that Rekor has logged', () => {
    const expected: Signer = {
      kind: 'certificate',
      subject: 'dev@example.com',
      issuer: 'https://accounts.example',
      logged: true,
    };
    assert.deepEqual(verifyBundle(bundleOf(), keyless), expected);
    assert.deepEqual(verifyBundle(bundleOf({ timestamp: true }), keyless), expected);
    assert.deepEqual(verifyBundle(bundleOf(), { kind: 'anybody', trustRoot }), expected);
  });

  it('verifies one by a key, with and without its log', () => {
    const signer = keyPair();
    const keys = [keyPair().publicKey, signer.publicKey];
    assert.equal(verifyBundle(bundleOf({ signer, log: false }), { kind: 'key', keys }).logged, false);
    assert.equal(verifyBundle(bundleOf({ signer }), { kind: 'key', keys, log: trustRoot }).logged, true);
  });

  it('takes the time from a timestamp authority where the log promises none', () => {
    const bundle = bundleOf({ timestamp: true });
    const [entry] = entriesOf(bundle);
    assert.ok(entry);
    delete entry['inclusionPromise'];
    delete entry['integratedTime'];
    entry['logIndex'] = (entry['inclusionProof'] as Record<string, unknown>)['logIndex'];
    assert.equal(verifyBundle(bundle, keyless).kind, 'certificate');
    delete (bundle['verificationMaterial'] as Record<string, unknown>)['timestampVerificationData'];
    refused('TIMESTAMP_INVALID', () => verifyBundle(bundle, keyless));
  });

  it('tells each kind of failure by a code of its own', () => {
    const other = { ...keyless, identities: [{ subject: { is: 'ceo@example.com' }, issuer: { matches: /^.*$/u } }] };
    refused('SIGNER_IDENTITY_MISMATCH', () => verifyBundle(bundleOf(), other));
    refused('SIGNATURE_TAMPERED', () => verifyBundle(bundleOf(), keyless, `sha256:${'cd'.repeat(32)}`));
    refused('LOG_PROOF_MISSING', () => verifyBundle(bundleOf({ log: false, timestamp: true }), keyless));
    const late = new Date(sigstore.now.getTime() + 3_600_000);
    refused('SIGNATURE_EXPIRED', () => verifyBundle(bundleOf({ date: late }), keyless));
    refused('SIGNATURE_EXPIRED', () => verifyBundle(bundleOf({ date: late, timestamp: true }), keyless));
    const stranger = new FakeSigstore();
    const theirs = makeBundle(stranger, { digest: DIGEST, signer: stranger.certificate() });
    refused('SIGNER_UNTRUSTED', () => verifyBundle(theirs, keyless));
    refused('LOG_PROOF_INVALID', () =>
      verifyBundle(makeBundle(stranger, { digest: DIGEST, signer: sigstore.certificate() }), keyless),
    );
    refused('SIGNATURE_INVALID', () =>
      verifyBundle(bundleOf({ signer: keyPair() }), { kind: 'key', keys: [keyPair().publicKey] }),
    );
    refused('SIGNATURE_INVALID', () => verifyBundle(bundleOf(), { kind: 'key', keys: [keyPair().publicKey] }));
    refused('SIGNER_UNTRUSTED', () => verifyBundle(bundleOf({ signer: keyPair() }), keyless));
    refused('SIGNATURE_MALFORMED', () => verifyBundle({ ...bundleOf(), more: 1 }, keyless));
  });

  it('refuses certificates that are in no transparency log, of another authority, or for another use', () => {
    refused('SIGNER_UNTRUSTED', () =>
      verifyBundle(bundleOf({ signer: sigstore.certificate({ ctLog: undefined }) }), keyless),
    );
    refused('SIGNER_UNTRUSTED', () =>
      verifyBundle(bundleOf({ signer: sigstore.certificate({ ctLog: keyPair() }) }), keyless),
    );
    const namesake = authority('fake fulcio', sigstore.around(1e9), sigstore.root);
    const forged = { ...namesake, privateKey: keyPair().privateKey };
    refused('SIGNER_UNTRUSTED', () => verifyBundle(bundleOf({ signer: sigstore.certificate({}, forged) }), keyless));
    const forServers = sigstore.certificate({ usage: '1.3.6.1.5.5.7.3.1' });
    refused('SIGNER_UNTRUSTED', () => verifyBundle(bundleOf({ signer: forServers }), keyless));
  });

  it('refuses a log entry of another signer for the same signature', () => {
    const signer = sigstore.certificate();
    const renewed = { ...sigstore.certificate(), privateKey: signer.privateKey, publicKey: signer.publicKey };
    const bundle = bundleOf({ signer: { ...renewed, spki: signer.spki } });
    (bundle['verificationMaterial'] as Record<string, unknown>)['certificate'] = {
      rawBytes: signer.der.toString('base64'),
    };
    refused('SIGNATURE_TAMPERED', () => verifyBundle(bundle, keyless));
  });

  for (const [name, signer, requirement] of [
    ['a certificate', sigstore.certificate(), keyless],
    (() => {
      const signing = keyPair();
      return ['a key', signing, { kind: 'key', keys: [signing.publicKey], log: trustRoot }] as const;
    })(),
  ] as const) {
    it(`refuses a bundle by ${name} when any field of it is changed`, function () {
      this.timeout(60_000);
      const bundle = bundleOf({ signer, timestamp: true });
      verifyBundle(bundle, requirement);
      let fields = 0;
      for (const { path, changed } of changes(bundle)) {
        fields++;
        assert.throws(() => verifyBundle(changed, requirement), isClear, `changed ${path}`);
      }
      assert.ok(fields > 100, `${fields} changes`);
    });
  }

  it('reads what no verifier was made for without another error than its own', () => {
    for (const value of [null, [], 'x', 1, {}, { mediaType: 1 }, { ...bundleOf(), dsseEnvelope: [] }]) {
      refused('SIGNATURE_MALFORMED', () => verifyBundle(value, keyless));
    }
    const { verificationMaterial, ...rest } = bundleOf();
    refused('SIGNATURE_MALFORMED', () => verifyBundle(rest, keyless));
    refused('SIGNATURE_MALFORMED', () => bundleClaim(Buffer.from(`${'[{"a":'.repeat(5000)}1${'}]'.repeat(5000)}`)));
    assert.ok(verificationMaterial);
  });
});

describe('signatures in the older format', () => {
  const read = ({ payload, annotations }: ReturnType<typeof makeSimple>): Claim => simpleClaim(payload, annotations);

  it('verifies one by a certificate that Rekor has promised to log', () => {
    const made = makeSimple(sigstore, DIGEST, sigstore.certificate());
    assert.equal(verifyClaim(read(made), DIGEST, keyless).kind, 'certificate');
    refused('SIGNATURE_TAMPERED', () => verifyClaim(read(made), `sha256:${'00'.repeat(32)}`, keyless));
  });

  it('refuses it when its payload or an annotation is changed', () => {
    const made = makeSimple(sigstore, DIGEST, sigstore.certificate());
    const { 'dev.sigstore.cosign/bundle': bundle = '', ...texts } = made.annotations;
    const whole = {
      payload: JSON.parse(made.payload.toString()) as unknown,
      bundle: JSON.parse(bundle) as unknown,
      texts,
    };
    for (const { path, changed } of changes(whole)) {
      const act = (): unknown =>
        verifyClaim(
          simpleClaim(Buffer.from(JSON.stringify(changed.payload)), {
            ...changed.texts,
            'dev.sigstore.cosign/bundle': JSON.stringify(changed.bundle),
          }),
          DIGEST,
          keyless,
        );
      assert.throws(act, isClear, `changed ${path}`);
    }
  });

  it('refuses it without its log entry', () => {
    const { payload, annotations } = makeSimple(sigstore, DIGEST, sigstore.certificate());
    const { 'dev.sigstore.cosign/bundle': _, ...rest } = annotations;
    refused('LOG_PROOF_MISSING', () => verifyClaim(simpleClaim(payload, rest), DIGEST, keyless));
  });
});

describe('trust roots', () => {
  it('refuses what is no trusted_root.json', () => {
    for (const text of ['', '{}', '[]', '{"mediaType":"application/json"}']) {
      refused('TRUST_ROOT_INVALID', () => parseTrustRoot(Buffer.from(text)));
    }
    const broken = { ...sigstore.trustedRoot(), tlogs: [{ baseUrl: 'x' }] };
    refused('TRUST_ROOT_INVALID', () => parseTrustRoot(Buffer.from(JSON.stringify(broken))));
  });

  it('does not trust a log outside its time', () => {
    const root = JSON.parse(JSON.stringify(sigstore.trustedRoot())) as {
      tlogs: { publicKey: { validFor: { end?: string } } }[];
    };
    for (const { publicKey } of root.tlogs) publicKey.validFor.end = '2025-12-31T00:00:00Z';
    const ended = parseTrustRoot(Buffer.from(JSON.stringify(root)));
    refused('LOG_PROOF_INVALID', () => verifyBundle(bundleOf(), { ...keyless, trustRoot: ended } as Requirement));
  });
});

function isClear(error: unknown): boolean {
  const { code, message } = error as { code?: string; message: string };
  return code !== undefined && /^(SIGNATURE|SIGNER|LOG_PROOF|TIMESTAMP)_/.test(code) && message !== '';
}

function entriesOf(bundle: Record<string, unknown>): Record<string, unknown>[] {
  return (bundle['verificationMaterial'] as { tlogEntries: Record<string, unknown>[] }).tlogEntries;
}

/**
 * Every text and number of a document changed, at several places of each. Of a timestamp only the last part, which is its
 * signature: before it are also bytes that say how the answer is wrapped, and that nothing signs.
 */
function* changes<T>(document: T): Generator<{ readonly path: string; readonly changed: T }> {
  for (const path of leaves(document)) {
    const value = path.reduce<unknown>((it, step) => (it as Record<string, unknown>)[step], document);
    for (const replacement of replacements(value, path.includes('signedTimestamp'))) {
      const changed = structuredClone(document);
      const parent = path.slice(0, -1).reduce<unknown>((it, step) => (it as Record<string, unknown>)[step], changed);
      (parent as Record<string, unknown>)[path.at(-1) as string] = replacement;
      yield { path: path.join('.'), changed };
    }
  }
}

function* replacements(value: unknown, onlyEnd: boolean): Generator<unknown> {
  if (typeof value === 'number') yield value + 1;
  if (typeof value !== 'string') return;
  const places = onlyEnd ? [-1, -9, -17, -33] : [0, 1, 0.3, 0.55, 0.8, -1, -2, -5];
  for (const place of places) {
    const index = place < 0 ? value.length + place : place < 1 ? Math.floor(place * value.length) : place;
    const letter = value[index];
    if (letter !== undefined) yield `${value.slice(0, index)}${other(letter)}${value.slice(index + 1)}`;
  }
}

/** Another character of the same kind. */
function other(letter: string): string {
  if (/[0-8]/.test(letter)) return String(Number(letter) + 1);
  if (/[a-yA-Y]/.test(letter)) return String.fromCharCode(letter.charCodeAt(0) + 1);
  return letter === 'x' ? 'y' : 'x';
}

function* leaves(value: unknown, path: readonly string[] = []): Generator<readonly string[]> {
  if (typeof value !== 'object' || value === null) return void (value !== null && (yield path));
  for (const [step, it] of Object.entries(value)) yield* leaves(it, [...path, step]);
}
