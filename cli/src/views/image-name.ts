const SHORT_ID = 12;

/** Without the registry that is meant when none is said. */
export function familiar(name: string): string {
  return name.replace(/^docker\.io\//, '').replace(/^library\//, '');
}

/** Repository, and tag; empty where it has none. */
export function splitTag(name: string): readonly [string, string] {
  const [plain = ''] = name.split('@', 1);
  const colon = plain.lastIndexOf(':');
  return colon > plain.lastIndexOf('/') ? [plain.slice(0, colon), plain.slice(colon + 1)] : [plain, ''];
}

/** Twelve digits of an id, with or without its algorithm. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, SHORT_ID);
}

/** Whether two references name the same: `alpine` and `docker.io/library/alpine:latest`. */
export function isSameName(a: string, b: string): boolean {
  return withTag(a) === withTag(b);
}

function withTag(reference: string): string {
  const [repository, tag] = splitTag(familiar(reference));
  return reference.includes('@') ? familiar(reference) : `${repository}:${tag || 'latest'}`;
}
