import { BoxError } from '../errors/box-error.js';
import { SCRATCH_SIZES } from '../vm/assets/scratch-disk.js';

const GIB = 1024 ** 3;

/** @throws INVALID_ARGUMENT for a size that disks here do not have */
export function checkDiskSize(sizeBytes: number): void {
  if (SCRATCH_SIZES.includes(sizeBytes)) return;
  throw new BoxError('INVALID_ARGUMENT', `a disk cannot have ${sizeBytes} bytes`, {
    hint: `sizes are ${SCRATCH_SIZES.map((size) => `${size / GIB}g`).join(', ')}; they take up what is written to them`,
  });
}
