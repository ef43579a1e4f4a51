import { BoxError } from '@a3s-box/core';
import { isDigest } from './digest.js';
import { quoted } from './quoted.js';

/** An image reference in full: `docker.io/library/alpine:3.20` and, or, `@sha256:...`. */
export interface Reference {
  /** Registry's host, with port where one was given. `docker.io` by default. */
  readonly domain: string;
  /** Repository below it, for example `library/alpine`. */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: string;
}

const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const DOMAIN =
  /^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const MAX_NAME = 255;

/**
 * Parses and completes a reference as Docker does (distribution/reference, normalized named): a first part without dot,
 * colon or upper case that is not `localhost` belongs to the repository, docker.io is the default registry, `library`
 * its default namespace. Without tag and digest the tag is `latest`.
 * @throws INVALID_REFERENCE
 */
export function parseReference(text: string): Reference {
  const refuse = (reason: string): BoxError =>
    new BoxError('INVALID_REFERENCE', `image reference ${quoted(text)} ${reason}`, {
      hint: 'write it as [registry/]name[:tag][@digest], in lower case, for example alpine:3.20',
    });
  const at = text.indexOf('@');
  const digest = at === -1 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) throw refuse('has a digest that is no sha256 digest');
  const named = at === -1 ? text : text.slice(0, at);
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  const tag = colon === -1 ? undefined : named.slice(colon + 1);
  if (tag !== undefined && !TAG.test(tag)) throw refuse('has an invalid tag');
  const name = colon === -1 ? named : named.slice(0, colon);
  if (/^[0-9a-f]{64}$/.test(name)) throw refuse('is a bare digest; put sha256: before it');
  const { domain, path } = splitDomain(name);
  if (!isRegistryName(domain)) throw refuse('has an invalid registry name');
  if (!isRepositoryPath(path)) throw refuse('has an invalid repository name');
  if (domain.length + 1 + path.length > MAX_NAME) throw refuse(`is longer than ${MAX_NAME} characters`);
  const effectiveTag = tag ?? (digest === undefined ? 'latest' : undefined);
  return {
    domain,
    path,
    ...(effectiveTag === undefined ? {} : { tag: effectiveTag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** Whether a text may be a registry in a name: `host` or `host:port`. */
export function isRegistryName(text: string): boolean {
  return DOMAIN.test(text);
}

/** Whether a text may be a repository below its registry. */
export function isRepositoryPath(text: string): boolean {
  return text.split('/').every((component) => COMPONENT.test(component));
}

function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf('/');
  const first = slash === -1 ? '' : name.slice(0, slash);
  const isDomain = slash !== -1 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  const domain = !isDomain || first === 'index.docker.io' ? 'docker.io' : first;
  const rest = isDomain ? name.slice(slash + 1) : name;
  return { domain, path: domain === 'docker.io' && !rest.includes('/') ? `library/${rest}` : rest };
}

/** `registry/repository`. */
export function repositoryOf(reference: Reference): string {
  return `${reference.domain}/${reference.path}`;
}

/**
 * The full name with tag under which an image is kept.
 * @throws INVALID_REFERENCE when the reference has a digest, which cannot be given to an image
 */
export function fullName(text: string): string {
  const reference = parseReference(text);
  if (reference.digest !== undefined) {
    throw new BoxError('INVALID_REFERENCE', `image name ${quoted(text)} has a digest`, {
      hint: 'a name that is given to an image is [registry/]name[:tag]',
    });
  }
  return `${repositoryOf(reference)}:${reference.tag as string}`;
}
