import { VolumeRecord } from '../gen/a3s/box/supervisor/v1/volumes.js';
import type { VolumeInUse } from '../volumes/volume-service.js';

export function volumeRecordOf({ volume, boxes, mountpoint }: VolumeInUse): VolumeRecord {
  const { name, createdNs, labels, sizeBytes = 0, anonymous = false } = volume;
  return VolumeRecord.create({
    ...{ name, createdNs, anonymous, mountpoint },
    labels: { ...labels },
    sizeBytes: BigInt(sizeBytes),
    boxes: [...boxes],
  });
}
