import { parseStorageOption } from '../grammar/storage-option.js';
import { parseVolume } from '../grammar/volume-flag.js';
import { nonEmpty } from '../grammar/values.js';

/** What of the host's a box sees, and how large its own disk is. */
export const volumeFlags = {
  'storage-opt': {
    kind: 'list',
    placeholder: 'size=SIZE',
    parse: parseStorageOption,
    absent: 'size=64g',
    summary: 'size of the disk that the root file system is written to, from 16m',
  },
  volume: {
    kind: 'list',
    char: 'v',
    placeholder: '[SOURCE:]TARGET[:OPTIONS]',
    parse: parseVolume,
    summary:
      'show a path of the host, which is made as a directory where it is not there, or a volume by name, at TARGET in the ' +
      'box; options are ro, rw and, for volumes, nocopy',
  },
  'volumes-from': {
    kind: 'list',
    placeholder: 'BOX[:ro]',
    parse: nonEmpty,
    summary: 'mount what another box has mounted',
  },
} as const;
