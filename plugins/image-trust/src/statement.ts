import type { Envelope } from './evidence.js';
import { fault, shown } from './fault.js';
import { isObject, parseObject, type JsonObject } from './json.js';

export const STATEMENT_TYPE = 'application/vnd.in-toto+json';
/** What cosign's bundle of a plain signature states. */
export const SIGNATURE_PREDICATE = 'https://sigstore.dev/cosign/sign/v1';
const VERSIONS = ['https://in-toto.io/Statement/v1', 'https://in-toto.io/Statement/v0.1'];

/** cosign's short names of predicate types. */
const PREDICATES: Readonly<Record<string, string>> = {
  slsaprovenance: 'https://slsa.dev/provenance/v0.2',
  slsaprovenance02: 'https://slsa.dev/provenance/v0.2',
  slsaprovenance1: 'https://slsa.dev/provenance/v1',
  spdx: 'https://spdx.dev/Document',
  spdxjson: 'https://spdx.dev/Document',
  cyclonedx: 'https://cyclonedx.org/bom',
  link: 'https://in-toto.io/Link/v1',
  vuln: 'https://cosign.sigstore.dev/attestation/vuln/v1',
  openvex: 'https://openvex.dev/ns',
  custom: 'https://cosign.sigstore.dev/attestation/v1',
};

/** An in-toto statement about images. */
export interface Statement {
  readonly predicateType: string;
  readonly predicate: JsonObject;
  /** sha256 digests of what it is about, in hexadecimal. */
  readonly subjects: readonly string[];
}

/** A predicate type by its URI, or a short name as cosign has them. @throws INVALID_ARGUMENT by `fault` */
export function predicateTypeOf(name: string): string {
  const known = Object.hasOwn(PREDICATES, name) ? PREDICATES[name] : undefined;
  if (known !== undefined) return known;
  if (URL.canParse(name)) return name;
  throw fault(
    'INVALID_ARGUMENT',
    `attestation type ${shown(name)} is neither a URI nor one of ${Object.keys(PREDICATES).join(', ')}`,
  );
}

/** What an envelope states. @throws SIGNATURE_MALFORMED */
export function parseStatement({ payloadType, payload }: Envelope): Statement {
  if (payloadType !== STATEMENT_TYPE) {
    throw fault('SIGNATURE_MALFORMED', `envelope has a payload of the type ${shown(payloadType)}`);
  }
  const { _type: type, subject, predicateType, predicate } = parseObject(payload, 'statement');
  if (!VERSIONS.includes(String(type))) throw fault('SIGNATURE_MALFORMED', `statement is ${shown(String(type))}`);
  if (typeof predicateType !== 'string' || !Array.isArray(subject)) {
    throw fault('SIGNATURE_MALFORMED', 'statement has no subject or no predicate type');
  }
  const subjects = subject.map((it: unknown) => (isObject(it) && isObject(it['digest']) ? it['digest']['sha256'] : ''));
  return {
    predicateType,
    predicate: isObject(predicate) ? predicate : {},
    subjects: subjects.filter((it) => typeof it === 'string' && it !== '') as string[],
  };
}

/** A statement about one image. @param digest `sha256:...` */
export function statementBytes(digest: string, predicateType: string, predicate: JsonObject): Buffer {
  const subject = [{ digest: { sha256: digest.slice('sha256:'.length) } }];
  return Buffer.from(JSON.stringify({ _type: VERSIONS[0], subject, predicateType, predicate }));
}
