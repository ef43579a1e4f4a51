import { BoxError } from '@a3s-box/core';

/** One file of a disk that is made of several. */
export interface FlatExtent {
  /** Absolute path. */
  readonly path: string;
  /** A multiple of 512. */
  readonly bytes: number;
}

const SECTOR = 512;
/** Longest path that QEMU's parser takes. */
const MAX_PATH = 511;

/**
 * A VMDK descriptor (VMware Virtual Disks, "twoGbMaxExtentFlat") that shows files as one disk, one behind the other.
 * Each file is one extent, on one line, in order.
 * @throws UNSUPPORTED when a path cannot be written in a descriptor
 */
export function flatDescriptor(extents: readonly FlatExtent[]): string {
  const lines = extents.map(({ path, bytes }) => {
    // eslint-disable-next-line no-control-regex
    if (Buffer.byteLength(path) > MAX_PATH || /["\u0000-\u001f]/.test(path)) {
      throw new BoxError('UNSUPPORTED', `path ${JSON.stringify(path)} cannot stand in a disk descriptor`, {
        hint: `choose an A3S_BOX_HOME without quotes and control characters, and so that paths end at ${MAX_PATH} bytes`,
      });
    }
    return `RW ${bytes / SECTOR} FLAT "${path}" 0`;
  });
  const sectors = extents.reduce((sum, { bytes }) => sum + bytes / SECTOR, 0);
  return `# Disk DescriptorFile
version=1
CID=fffffffe
parentCID=ffffffff
createType="twoGbMaxExtentFlat"

# Extent description
${lines.join('\n')}

# The Disk Data Base
#DDB

ddb.virtualHWVersion = "4"
ddb.geometry.cylinders = "${Math.ceil(sectors / (63 * 16))}"
ddb.geometry.heads = "16"
ddb.geometry.sectors = "63"
ddb.adapterType = "ide"
`;
}
