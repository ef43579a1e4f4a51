import { definePort } from './port.js';
import type { Image, Platform } from './image-store.js';
import type { Operation } from './operation.js';

/**
 * Builds images from a description. Every step that runs a program runs it in a microVM. A build reads nothing of the
 * host but its context, and what the call hands over by name.
 *
 * Concurrency: builds may run at the same time and share a cache. Ownership: boxes and disks of a build belong to the
 * call and are gone at its end, however it ends; cache entries belong to the builder.
 */
export interface Builder {
  /** Name of the description's language, for example `dockerfile`. */
  readonly name: string;

  /**
   * Checks a description without running a step.
   * @returns every fault, with its place; empty when the description can be built
   */
  check(request: BuildRequest, operation: Operation): Promise<readonly BuildFault[]>;

  /**
   * Builds and stores the image.
   * @throws BUILD_INVALID with all faults in details, before any step runs
   * @throws BUILD_STEP_FAILED with the step, its exit status and the end of its output
   * @throws IMAGE_NOT_FOUND, REGISTRY_FAILED, LIMIT_EXCEEDED, DISK_FULL, CANCELLED
   */
  build(request: BuildRequest, options: BuildOptions): Promise<Image>;

  /** Removes cache entries until at most `keepBytes` are left, least recently used first. @returns bytes freed */
  prune(keepBytes: number, operation: Operation): Promise<number>;
}

export const BuilderPort = definePort<Builder>('a3s-box.builder.v1');

export interface BuildRequest {
  /** Absolute path of the context directory. */
  readonly context: string;
  /** The description's text (UTF-8) and the name to show for it. */
  readonly description: { readonly name: string; readonly text: string };
  readonly target?: string;
  readonly platform?: Platform;
  readonly arguments: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly names: readonly string[];
  /** Secrets by id: absolute paths of files that are read when a step asks. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly network: 'default' | 'none';
  readonly useCache: boolean;
}

export interface BuildOptions extends Operation {
  readonly onEvent: (event: BuildEvent) => void;
}

export type BuildEvent =
  | { readonly kind: 'step-started'; readonly step: number; readonly steps: number; readonly title: string }
  | {
      readonly kind: 'step-output';
      readonly step: number;
      readonly stream: 'stdout' | 'stderr';
      readonly data: Uint8Array;
    }
  | { readonly kind: 'step-done'; readonly step: number; readonly cached: boolean; readonly milliseconds: number };

export interface BuildFault {
  /** 1-based. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}
