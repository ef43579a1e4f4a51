import { BoxError } from '@a3s-box/core';
import { defineCommand } from '../command.js';
import { text } from '../grammar/flag.js';
import { nonEmpty } from '../grammar/values.js';
import { jsonFlag } from './json-flag.js';

const plainHttpFlag = {
  'plain-http': { kind: 'boolean', summary: 'speak http to the registry; only to one on this machine (loopback)' },
} as const;

function signatureFormat(value: string): 'bundle' | 'tag' {
  if (value === 'bundle' || value === 'tag') return value;
  throw new BoxError('INVALID_ARGUMENT', 'give bundle or tag');
}

export const imageSignFlags = {
  key: { kind: 'value', placeholder: 'FILE', parse: nonEmpty, summary: 'private key: PEM, or as cosign encrypts it' },
  'password-stdin': { kind: 'boolean', summary: "read the key's password from stdin" },
  'identity-token': {
    kind: 'value',
    placeholder: 'FILE',
    parse: nonEmpty,
    summary: 'sign without a key, as who this OpenID Connect token is of; - reads it from stdin',
  },
  'fulcio-url': {
    kind: 'value',
    placeholder: 'URL',
    parse: nonEmpty,
    absent: "the sigstore project's",
    summary: 'certificate authority, for a signature without a key',
  },
  'rekor-url': {
    kind: 'value',
    placeholder: 'URL',
    parse: nonEmpty,
    absent: "the sigstore project's",
    summary: 'transparency log that records it',
  },
  'timestamp-server-url': {
    kind: 'value',
    placeholder: 'URL',
    parse: nonEmpty,
    summary: 'timestamp authority that proves its time, besides the log',
  },
  format: {
    kind: 'value',
    placeholder: 'FORMAT',
    parse: signatureFormat,
    absent: 'bundle',
    summary: 'bundle (a referrer of the image, cosign 3) or tag (cosign before)',
  },
  type: {
    kind: 'value',
    placeholder: 'TYPE',
    parse: nonEmpty,
    summary: 'make an attestation of this type, such as spdxjson or a URI; needs --predicate',
  },
  predicate: { kind: 'value', placeholder: 'FILE', parse: nonEmpty, summary: 'what the attestation says, JSON' },
  ...plainHttpFlag,
} as const;

export const imageSign = defineCommand({
  name: 'image sign',
  family: 'Images',
  summary: 'Sign an image in its registry',
  description: [
    "The signature is put beside the image, in cosign's format. The password of an encrypted key is asked for on a " +
      'terminal, or read from COSIGN_PASSWORD.',
  ],
  synopsis: 'IMAGE',
  minArgs: 1,
  maxArgs: 1,
  interspersed: true,
  flags: imageSignFlags,
  examples: [
    'a3s-box image sign --key cosign.key registry.example/app:1.0',
    'a3s-box image sign --key cosign.key --type spdxjson --predicate sbom.json registry.example/app:1.0',
  ],
  load: async () => (await import('../actions/image-signatures.js')).signImage,
});

export const imageVerifyFlags = {
  key: { kind: 'list', placeholder: 'FILE', parse: nonEmpty, summary: 'public key in PEM of who may have signed' },
  'certificate-identity': {
    kind: 'value',
    placeholder: 'NAME',
    parse: nonEmpty,
    summary: 'e-mail address or URI of who must have signed without a key',
  },
  'certificate-identity-regexp': {
    kind: 'value',
    placeholder: 'PATTERN',
    parse: text,
    summary: 'pattern for all of it',
  },
  'certificate-oidc-issuer': {
    kind: 'value',
    placeholder: 'URL',
    parse: nonEmpty,
    summary: 'who must have vouched for the identity',
  },
  'certificate-oidc-issuer-regexp': {
    kind: 'value',
    placeholder: 'PATTERN',
    parse: text,
    summary: 'pattern for all of it',
  },
  'trusted-root': {
    kind: 'value',
    placeholder: 'FILE',
    parse: nonEmpty,
    summary: 'trusted_root.json with authorities and logs; with --key, a log of it must have recorded the signature',
  },
  'tuf-root': {
    kind: 'value',
    placeholder: 'FILE',
    parse: nonEmpty,
    summary: 'root.json of the TUF repository to take the trust root from',
  },
  'tuf-repository': {
    kind: 'value',
    placeholder: 'PLACE',
    parse: nonEmpty,
    summary: 'directory or https address of that repository',
  },
  type: {
    kind: 'value',
    placeholder: 'TYPE',
    parse: nonEmpty,
    summary: 'verify attestations of this type, such as spdxjson or a URI, and print what they say',
  },
  ...plainHttpFlag,
  ...jsonFlag,
} as const;

export const imageVerify = defineCommand({
  name: 'image verify',
  family: 'Images',
  summary: 'Verify who has signed an image',
  description: [
    'Without a key or an identity, who must have signed is what the image policies say. The image is the one that is ' +
      'here; if there is none, the one in the registry.',
  ],
  synopsis: 'IMAGE',
  minArgs: 1,
  maxArgs: 1,
  interspersed: true,
  flags: imageVerifyFlags,
  examples: ['a3s-box image verify --key cosign.pub registry.example/app:1.0'],
  load: async () => (await import('../actions/image-signatures.js')).verifyImage,
});
