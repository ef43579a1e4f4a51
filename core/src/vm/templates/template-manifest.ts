import { createHash } from 'node:crypto';
import type { TemplateRecord } from '../../ports/hypervisor.js';
import type { Extent } from './memory-chunks.js';

/** Version of a template's directory (docs/compatibility.md). */
export const TEMPLATE_FORMAT = 1;

/** What stands beside a template's memory and state. */
export interface TemplateManifest {
  readonly format: typeof TEMPLATE_FORMAT;
  readonly key: string;
  readonly record: TemplateRecord;
  /** Opens the first session of each clone; base64. */
  readonly sessionKey: string;
  /** When it was made, milliseconds since the Unix epoch. */
  readonly createdMs: number;
  /** Of the product that made it. */
  readonly version: string;
  /** The file `memory` holds these runs one after the other; all else is zero. */
  readonly extents: readonly Extent[];
  /** SHA-256 of each chunk of `memory` in order; base64. */
  readonly chunkDigests: readonly string[];
  readonly stateBytes: number;
  /** SHA-256, base64. */
  readonly stateDigest: string;
}

/** As it is written: the first line is the digest of the second. */
export function encodeManifest(manifest: TemplateManifest): string {
  const text = JSON.stringify(manifest);
  return `${digest(text)}\n${text}\n`;
}

/** @returns undefined for what is not whole, not of this format, or not of this key */
export function decodeManifest(file: string, key: string): TemplateManifest | undefined {
  const [sum, text = ''] = file.split('\n');
  if (sum !== digest(text)) return undefined;
  const manifest = JSON.parse(text) as TemplateManifest;
  return manifest.format === TEMPLATE_FORMAT && manifest.key === key ? manifest : undefined;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
