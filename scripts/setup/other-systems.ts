/** What set-up asks of systems that have no apt-get: it installs nothing there, and says what is missing and why. */
import { existsSync } from 'node:fs';

export interface Requirement {
  /** What is installed: a Homebrew formula, a Windows feature, a program. */
  readonly name: string;
  readonly why: string;
  /** The command, or the steps, that install it. */
  readonly install: string;
  readonly isThere: (ask: Questions) => boolean;
}

/** What is asked of a system; another one in tests. */
export interface Questions {
  /** Whether a program is found in PATH. */
  readonly command: (name: string) => boolean;
  readonly file: (path: string) => boolean;
  /** Runs a program. @returns what it wrote, undefined when it is not there or fails */
  readonly output: (program: string, args: readonly string[]) => string | undefined;
}

export interface SystemSetup {
  /** As people call it. */
  readonly title: string;
  readonly requirements: readonly Requirement[];
  /** What set-up leaves to its user, and what does not exist there. */
  readonly notSetUp: readonly string[];
}

const HYPERVISOR_PRESENT = '(Get-CimInstance Win32_ComputerSystem).HypervisorPresent';

const MAC: SystemSetup = {
  title: 'macOS on Apple silicon',
  requirements: [
    {
      name: 'Xcode command line tools',
      why: 'compile the native addon and the launcher, and sign the launcher (codesign)',
      install: 'xcode-select --install',
      isThere: ({ output }) => output('xcode-select', ['-p']) !== undefined,
    },
    {
      name: 'libkrun',
      why: 'is the virtual machine monitor',
      install: 'brew tap slp/krun && brew install libkrun',
      isThere: ({ file }) => file('/opt/homebrew/lib/libkrun.dylib'),
    },
    {
      name: 'python@3.13',
      why: 'configures node-gyp',
      install: 'brew install python@3.13',
      isThere: ({ command }) => command('python3'),
    },
  ],
  notSetUp: [
    'the signature of the launcher: npm run sign-launcher -w @a3s-box/libkrun-hvf, after each build',
    'the network gateway and the QEMU backend, which are for Linux',
    'the tests that boot guests, which are for Linux',
  ],
};

const WINDOWS: SystemSetup = {
  title: 'Windows on x86-64',
  requirements: [
    {
      name: 'Windows Hypervisor Platform (optional feature HypervisorPlatform)',
      why: 'runs the guests; WSL is not needed',
      install:
        'as administrator: Enable-WindowsOptionalFeature -Online -FeatureName HypervisorPlatform; then restart Windows',
      isThere: ({ file, output }) =>
        file('C:\\Windows\\System32\\WinHvPlatform.dll') &&
        output('powershell.exe', ['-NoProfile', '-Command', HYPERVISOR_PRESENT])?.trim() === 'True',
    },
    {
      name: 'krun.dll',
      why: 'is the virtual machine monitor',
      install: 'put it, with the libraries that it needs, into C:\\Program Files\\libkrun\\bin',
      isThere: ({ file }) =>
        ['krun.dll', 'libkrun.dll'].some((name) => file(`C:\\Program Files\\libkrun\\bin\\${name}`)),
    },
  ],
  notSetUp: [
    'krun.dll, which no package manager has',
    'the build of a checkout: native addon and launcher come prebuilt with the npm package @a3s-box/native',
    'the network gateway and the QEMU backend, which are for Linux',
    'the tests that boot guests, and the CRI server, which are for Linux',
  ],
};

const SYSTEMS: Readonly<Record<string, SystemSetup>> = { 'darwin-arm64': MAC, 'win32-x64': WINDOWS };

/** @param platform as Node.js names it, for example `darwin-arm64` @returns undefined where other rules hold (Linux), or none */
export function systemSetup(platform: string): SystemSetup | undefined {
  return SYSTEMS[platform];
}

/** Lines about what is missing. @returns none when all is there */
export function missingRequirements({ requirements }: SystemSetup, ask: Questions): readonly Requirement[] {
  return requirements.filter(({ isThere }) => !isThere(ask));
}

/** What set-up prints. */
export function describeSetup(setup: SystemSetup, missing: readonly Requirement[]): string[] {
  return [
    `set-up: ${setup.title}`,
    ...missing.flatMap(({ name, why, install }) => [`  missing: ${name} (${why})`, `    ${install}`]),
    ...(missing.length === 0 ? ['  everything that set-up does not install is there'] : []),
    ...setup.notSetUp.map((what) => `  not set up: ${what}`),
  ];
}

/** Whether a file is there; of the running system. */
export function hasFile(path: string): boolean {
  return existsSync(path);
}
