import { release, totalmem } from 'node:os';
import type { HypervisorCapability } from '@a3s-box/core';
import { foundLibkrun, type KrunSystem } from '@a3s-box/libkrun';
import { krunLauncherPath, probeLibkrun, probeVirtualisation, type LibkrunProbe } from '@a3s-box/native';

const INSTALL =
  'put krun.dll into C:\\Program Files\\libkrun\\bin, or name it in the setting libkrun of @a3s-box/libkrun-whpx';
const LOAD = 'put the libraries that it needs beside it; one for x86-64 is needed';
const SWITCH_ON =
  'switch it on as administrator: Enable-WindowsOptionalFeature -Online -FeatureName HypervisorPlatform; then restart';

/**
 * A process cannot be stopped and let go on there, so nothing is paused; and a network card's gateway is reached by a Unix
 * socket, which a server on Node.js cannot offer there, so the network is impersonated sockets.
 */
export const WHPX_CAPABILITIES: ReadonlySet<HypervisorCapability> = new Set(['tsi', 'vmdk-disk']);

/** Until a system says that it takes more. */
const ASSUMED_VCPUS = 1;

/** What is asked of Windows. Each question may be answered by something else, in tests. */
export interface WindowsQuestions {
  /** As Node.js says, for example `win32-x64`. */
  readonly platform: string;
  readonly probeLibkrun: (given: string | undefined) => LibkrunProbe;
  readonly virtualisation: typeof probeVirtualisation;
  readonly launcher: () => string | undefined;
  readonly memoryBytes: number;
  readonly release: string;
}

/** @param given absolute path of krun.dll from the settings */
export function whpxSystem(given?: string, questions: WindowsQuestions = ofThisWindows()): KrunSystem {
  return {
    accelerator: 'whpx',
    title: 'the Windows Hypervisor Platform',
    capabilities: WHPX_CAPABILITIES,
    fingerprint: `${questions.platform} ${questions.release}`,
    memoryBytes: questions.memoryBytes,
    obstacle: () => windowsObstacle(questions),
    findLibkrun: () => foundLibkrun(questions.probeLibkrun(given), { install: INSTALL, load: LOAD }),
    settle: ({ path }) => Promise.resolve(path),
    maxVcpus: () => {
      const probe = questions.virtualisation();
      return (probe.kind === 'usable' ? probe.maxVcpus : undefined) ?? ASSUMED_VCPUS;
    },
  };
}

function windowsObstacle(questions: WindowsQuestions): string | undefined {
  if (questions.platform !== 'win32-x64') return 'this backend runs on Windows x86-64 only';
  if (questions.virtualisation().kind !== 'usable') {
    return `the Windows Hypervisor Platform is not switched on (${SWITCH_ON})`;
  }
  return questions.launcher() === undefined
    ? 'the launcher a3s-box-krun is not there (install @a3s-box/native again)'
    : undefined;
}

function ofThisWindows(): WindowsQuestions {
  return {
    platform: `${process.platform}-${process.arch}`,
    probeLibkrun: (given) => probeLibkrun({ given }),
    virtualisation: probeVirtualisation,
    launcher: krunLauncherPath,
    memoryBytes: totalmem(),
    release: release(),
  };
}
