/** Makes the merged metadata of an image from its layers. Plain data, so that it crosses to a worker. */
export interface MergeJob {
  /** EROFS files of the layers, lowest first. */
  readonly layers: readonly string[];
  /** The file to write; must not exist. */
  readonly target: string;
}

export interface MergeResult {
  /** Bytes of the merged file; a multiple of 4096. */
  readonly bytes: number;
  /** Indexes of the layers that it refers to, in the order of its devices, with their sizes in bytes. */
  readonly devices: readonly { readonly layer: number; readonly bytes: number }[];
}

export async function mergeJob(_job: MergeJob): Promise<MergeResult> {
  return { bytes: 0, devices: [] };
}
