/** Architectures that the guest can be built for, in the kernel's terms. */
export type GuestArchitecture = 'x86_64' | 'aarch64';

/** What is known of an executable: where it came from and what it is. */
export interface GuestInitManifest {
  /** SHA-256 of the executable, hexadecimal. */
  readonly sha256: string;
  /** Digest over the sources that it was built from, as `sourcesDigest` computes it. */
  readonly sources: string;
  /** Version of guest-init. */
  readonly version: string;
  /** Output of `rustc --version`. */
  readonly rustc: string;
}

/**
 * Path of guest-init: the executable that was built here if it was built from the sources as they are now, else the
 * prebuilt one, unpacked. `undefined` where there is neither for this architecture. `architecture` may be Node's name
 * of it and is this machine's when left out.
 *
 * @throws Error when the prebuilt executable does not have the digest of its manifest.
 */
export function guestInitPath(architecture?: string): string | undefined;

/** The manifest of the prebuilt executable; `undefined` where there is none for this architecture. */
export function prebuiltManifest(architecture?: string): GuestInitManifest | undefined;

/** SHA-256 over names and contents of all that the executable is built from; `undefined` where the sources are not there. */
export function sourcesDigest(): string | undefined;

/** Whether the prebuilt executable was made from the sources as they are now. */
export function prebuiltIsCurrent(architecture?: string): boolean;

/** Where the build puts its executable and, beside it, its manifest. */
export function buildDirectory(architecture?: string): string;
