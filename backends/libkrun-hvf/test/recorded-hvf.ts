import { platformOf } from '@a3s-box/core';
import { probeLibkrun } from '@a3s-box/native';
import { RecordedMachines } from '../../../test/support/recording/recorded-machines.ts';
import { ENTITLEMENT, hvfSystem, type MacQuestions } from '../dist/index.js';

/** A Mac on which everything is as it should be, with this libkrun. */
export function mac(library?: string): MacQuestions {
  return {
    platform: 'darwin-arm64',
    userId: 501,
    probeLibkrun: (given) => probeLibkrun({ given: given ?? library, needsNet: true }),
    virtualisation: () => ({ kind: 'usable' }),
    launcher: () => '/opt/a3s-box/a3s-box-krun',
    readEntitlements: () => `<dict><key>${ENTITLEMENT}</key><true/></dict>`,
    processors: 8,
    memoryBytes: 8 * 1024 ** 3,
    release: '25.1.0',
  };
}

/** The backend on Linux: its files and sockets have the names that they have on a Mac. */
export function recordedHvf(): RecordedMachines {
  return new RecordedMachines({
    name: 'libkrun-hvf',
    platform: platformOf('darwin'),
    system: (library, directory) => hvfSystem(directory, undefined, mac(library)),
  });
}
