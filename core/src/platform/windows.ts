import { win32 } from 'node:path';
import { accessList, type SystemCommand } from './access-list.js';
import type { HostPlatform, Surroundings } from './platform.js';

/** Namespace of named pipes. All users share it, so names hold what a home has to itself. */
const PIPES = '\\\\.\\pipe\\a3s-box-';
/** Of SHA-256, in hexadecimal digits. */
const NAME_DIGITS = 32;

/** Windows. @param run a program of the system; another one in tests */
export function windowsWith(run?: SystemCommand): HostPlatform {
  return {
    name: 'windows',
    endpoint: (path) => `${PIPES}${digest(path)}-${win32.basename(path).replace(/\.sock$/, '')}`,
    endpointPathLimit: undefined,
    // A pipe goes with its server. Its default access list lets only this user write to it.
    endpointsAreFiles: false,
    defaultHome: (surroundings) => win32.join(localData(surroundings), 'a3s-box'),
    systemDistribution: ({ environment }) =>
      win32.join(environment['ProgramData'] ?? 'C:\\ProgramData', 'a3s-box', 'distribution.json'),
    access: accessList(run),
    // Nothing there starts a supervisor after a reboot.
    bootId: () => '',
    processMemory: async () => undefined,
    autostart: () => undefined,
  };
}

export const windows: HostPlatform = windowsWith();

/** Names of files do not differ by case there. */
function digest(path: string): string {
  const one = win32.normalize(path).toLowerCase();
  // Loaded where it is used: every start of the CLI, on other systems too, would pay for it.
  return process.getBuiltinModule('node:crypto').createHash('sha256').update(one).digest('hex').slice(0, NAME_DIGITS);
}

function localData({ environment, userDirectory }: Surroundings): string {
  return environment['LOCALAPPDATA'] ?? win32.join(userDirectory, 'AppData', 'Local');
}
