import { probeLibkrun } from '@a3s-box/native';
import { RecordedMachines } from '../../../test/support/recording/recorded-machines.ts';
import { whpxSystem, type WindowsQuestions } from '../dist/index.js';

/** A Windows on which everything is as it should be, with this libkrun. */
export function windowsMachine(library?: string): WindowsQuestions {
  return {
    platform: 'win32-x64',
    probeLibkrun: (given) => probeLibkrun({ given: given ?? library }),
    // One that says that it takes two, which is what the contract's guest is asked to have.
    virtualisation: () => ({ kind: 'usable', maxVcpus: 2 }),
    launcher: () => 'C:\\a3s-box\\a3s-box-krun.exe',
    memoryBytes: 8 * 1024 ** 3,
    release: '10.0.26100',
  };
}

/** The backend on Linux: in the place of each named pipe is a Unix socket. */
export function recordedWhpx(): RecordedMachines {
  return new RecordedMachines({
    name: 'libkrun-whpx',
    platform: { name: 'windows', endpoint: (path) => path },
    system: (library) => whpxSystem(undefined, windowsMachine(library)),
  });
}
