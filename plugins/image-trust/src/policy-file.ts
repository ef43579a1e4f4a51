import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, resolve } from 'node:path';
import type { KeyObject } from 'node:crypto';
import type { ErrorObject } from 'ajv/dist/2020.js';
import { isBoxError } from '@a3s-box/core';
import { fault, shown } from './fault.js';
import type { Policy, Rule, TrustRootSource } from './policy.js';
import { parsePublicKey } from './public-key.js';
import { imagePolicy } from './policy-validator.gen.js';
import { matchOf, type Identity, type TextMatch } from './requirement.js';

interface IdentityDocument {
  readonly subject?: string;
  readonly subjectPattern?: string;
  readonly issuer?: string;
  readonly issuerPattern?: string;
}

type RuleDocument =
  | { readonly type: 'accept'; readonly warn?: boolean }
  | { readonly type: 'reject'; readonly reason?: string }
  | { readonly type: 'key'; readonly keys: readonly string[]; readonly log?: 'required' | 'ignored' }
  | { readonly type: 'keyless'; readonly identities: readonly IdentityDocument[] };

/** As schema/image-policy.schema.json says. */
interface PolicyDocument {
  readonly version: 1;
  readonly trustRoot?: string | { readonly root: string; readonly repository: string };
  readonly default: RuleDocument;
  readonly rules?: Readonly<Record<string, RuleDocument>>;
}

export interface PolicySource {
  /** What it is called in messages. */
  readonly name: string;
  /** What its paths are relative to. */
  readonly directory: string;
  /** @throws what the system says */
  readonly readText: (path: string) => Promise<string>;
}

const MAX_POLICY = 2 ** 20;
const PREFIX =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[a-fA-F0-9:]+\])(?::[0-9]+)?(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;

/** Reads a policy with the keys that it names. @throws IMAGE_POLICY_INVALID, with the place of what is wrong */
export async function readPolicyFile(path: string): Promise<Policy> {
  const readText = (file: string): Promise<string> => readFile(file, 'utf8');
  const text = await readText(path).catch((error: unknown) => {
    throw fault('IMAGE_POLICY_INVALID', `image policy ${shown(path)} cannot be read`, error);
  });
  return parsePolicy(text, { name: path, directory: dirname(resolve(path)), readText });
}

/** A policy in JSON or YAML. @throws IMAGE_POLICY_INVALID, with the place of what is wrong */
export async function parsePolicy(text: string, source: PolicySource): Promise<Policy> {
  const document = checked(await parseText(text, source.name), source.name);
  const fallback = await ruleOf(document.default, 'default', document, source);
  const rules = new Map<string, Rule>();
  for (const [prefix, rule] of Object.entries(document.rules ?? {})) {
    const place = `rules[${JSON.stringify(prefix)}]`;
    if (!PREFIX.test(prefix))
      throw invalid(source.name, place, 'is no registry or repository, such as docker.io/library');
    rules.set(prefix, await ruleOf(rule, place, document, source));
  }
  const { trustRoot } = document;
  return {
    name: source.name,
    fallback,
    rules,
    ...(trustRoot !== undefined && { trustRoot: trustRootOf(trustRoot, source.directory) }),
  };
}

async function parseText(text: string, name: string): Promise<unknown> {
  if (text.length > MAX_POLICY)
    throw fault('IMAGE_POLICY_INVALID', `image policy ${shown(name)} is larger than ${MAX_POLICY} characters`);
  const { parseDocument } = await import('yaml');
  // JSON is YAML too, but for tabs that indent.
  const document = parseDocument(
    text.replace(/^\t+/gm, (tabs) => '  '.repeat(tabs.length)),
    { uniqueKeys: true, strict: true },
  );
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) {
    const [line = ''] = problem.message.split('\n');
    throw fault('IMAGE_POLICY_INVALID', `image policy ${shown(name)} is neither JSON nor YAML: ${line}`, problem);
  }
  try {
    return document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    throw fault('IMAGE_POLICY_INVALID', `image policy ${shown(name)} has aliases`, error);
  }
}

/** As ajv makes it. */
type Validator = ((value: unknown) => boolean) & { errors?: readonly ErrorObject[] | null };

function checked(value: unknown, name: string): PolicyDocument {
  const validate = imagePolicy as Validator;
  if (validate(value)) return value as PolicyDocument;
  const [error] = validate.errors ?? [];
  const place = (error?.instancePath ?? '')
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((step, index) =>
      /^\d+$/.test(step)
        ? `[${step}]`
        : /^\w+$/.test(step)
          ? `${index > 0 ? '.' : ''}${step}`
          : `[${JSON.stringify(step)}]`,
    )
    .join('');
  throw invalid(name, place, messageOf(error));
}

function messageOf(error: ErrorObject | undefined): string {
  const { additionalProperty, missingProperty, allowedValues, allowedValue } = (error?.params ?? {}) as Record<
    string,
    unknown
  >;
  switch (error?.keyword) {
    case 'additionalProperties':
      return `has an unknown property ${shown(String(additionalProperty))}`;
    case 'required':
      return `lacks ${shown(String(missingProperty))}`;
    case 'enum':
      return `must be one of ${JSON.stringify(allowedValues)}`;
    case 'const':
      return `must be ${JSON.stringify(allowedValue)}`;
    case 'oneOf':
      return 'must have either a text or a pattern, for the subject as for the issuer';
    default:
      return error?.message ?? 'is invalid';
  }
}

async function ruleOf(rule: RuleDocument, place: string, policy: PolicyDocument, source: PolicySource): Promise<Rule> {
  switch (rule.type) {
    case 'accept':
      return { type: 'accept', warn: rule.warn ?? false };
    case 'reject':
      return rule;
    case 'key': {
      const { log = 'ignored' } = rule;
      if (log === 'required') needTrustRoot(policy, place, source);
      const keys = rule.keys.map((key, index) => keyOf(key, `${place}.keys[${index}]`, source));
      return { type: 'key', keys: await Promise.all(keys), log };
    }
    case 'keyless':
      needTrustRoot(policy, place, source);
      return {
        type: 'keyless',
        identities: rule.identities.map((it, index) => identityOf(it, `${place}.identities[${index}]`, source.name)),
      };
  }
}

function needTrustRoot({ trustRoot }: PolicyDocument, place: string, { name }: PolicySource): void {
  if (trustRoot === undefined) throw invalid(name, place, 'needs the trustRoot of the policy, which has none');
}

async function keyOf(key: string, place: string, { name, directory, readText }: PolicySource): Promise<KeyObject> {
  try {
    return parsePublicKey(key.includes('-----BEGIN ') ? key : await readText(resolve(directory, key)));
  } catch (error) {
    throw invalid(name, place, isBoxError(error) ? error.message : `cannot be read: ${shown(key)}`, error);
  }
}

function identityOf(document: IdentityDocument, place: string, name: string): Identity {
  const match = (field: 'subject' | 'issuer'): TextMatch => {
    try {
      return matchOf(document[field], document[`${field}Pattern`]);
    } catch (error) {
      throw invalid(name, `${place}.${field}Pattern`, 'is no regular expression', error);
    }
  };
  return { subject: match('subject'), issuer: match('issuer') };
}

function trustRootOf(document: NonNullable<PolicyDocument['trustRoot']>, directory: string): TrustRootSource {
  if (typeof document === 'string') return { kind: 'file', path: resolve(directory, document) };
  const { root, repository } = document;
  const remote = /^https:\/\//.test(repository);
  return {
    kind: 'tuf',
    root: resolve(directory, root),
    repository: remote || isAbsolute(repository) ? repository : resolve(directory, repository),
  };
}

function invalid(name: string, place: string, message: string, cause?: unknown): Error {
  return fault(
    'IMAGE_POLICY_INVALID',
    `image policy ${shown(name)}: ${place === '' ? 'the document' : place} ${message}`,
    cause,
  );
}
