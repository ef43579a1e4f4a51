import { availableParallelism, release, totalmem } from 'node:os';
import type { HypervisorCapability } from '@a3s-box/core';
import { foundLibkrun, type KrunSystem } from '@a3s-box/libkrun';
import { krunLauncherPath, probeLibkrun, probeVirtualisation, type LibkrunProbe } from '@a3s-box/native';
import { signatureObstacle, type ReadEntitlements } from './launcher-signature.js';
import { stableLibrary } from './stable-library.js';

const INSTALL =
  'brew tap slp/krun && brew install libkrun, or npm install @earendil-works/gondolin-krun-runner-darwin-arm64';
const LOAD =
  'brew reinstall libkrun; what keeps it from loading may be a quarantine: xattr -d com.apple.quarantine FILE';

/** The card of libkrun speaks to a gateway; impersonated sockets need none. */
export const HVF_CAPABILITIES: ReadonlySet<HypervisorCapability> = new Set([
  'pause',
  'network-card',
  'tsi',
  'vmdk-disk',
]);

/** What is asked of macOS. Each question may be answered by something else, in tests. */
export interface MacQuestions {
  /** As Node.js says, for example `darwin-arm64`. */
  readonly platform: string;
  readonly userId: number | undefined;
  readonly probeLibkrun: (given: string | undefined) => LibkrunProbe;
  readonly virtualisation: typeof probeVirtualisation;
  readonly launcher: () => string | undefined;
  readonly readEntitlements?: ReadEntitlements;
  readonly processors: number;
  readonly memoryBytes: number;
  readonly release: string;
}

/** @param directory absolute path for copies of libraries @param given absolute path of the libkrun from the settings */
export function hvfSystem(directory: string, given?: string, questions: MacQuestions = ofThisMac()): KrunSystem {
  return {
    accelerator: 'hvf',
    title: 'Hypervisor.framework',
    capabilities: HVF_CAPABILITIES,
    fingerprint: `${questions.platform} ${questions.release}`,
    memoryBytes: questions.memoryBytes,
    obstacle: () => macObstacle(questions),
    findLibkrun: () => foundLibkrun(questions.probeLibkrun(given), { install: INSTALL, load: LOAD }),
    settle: (libkrun) => stableLibrary(libkrun, directory),
    maxVcpus: () => questions.processors,
  };
}

function macObstacle(questions: MacQuestions): string | undefined {
  if (questions.platform !== 'darwin-arm64') return 'this backend runs on macOS with Apple silicon only';
  if (questions.userId === 0) return 'the launcher does not run as root (run a3s-box as an ordinary user)';
  if (questions.virtualisation().kind !== 'usable') {
    return 'this Mac offers no Hypervisor.framework (in a virtual machine, switch nested virtualisation on)';
  }
  return signatureObstacle(questions.launcher(), questions.readEntitlements);
}

function ofThisMac(): MacQuestions {
  return {
    platform: `${process.platform}-${process.arch}`,
    userId: process.geteuid?.(),
    probeLibkrun: (given) => probeLibkrun({ given, needsNet: true }),
    virtualisation: probeVirtualisation,
    launcher: krunLauncherPath,
    processors: availableParallelism(),
    memoryBytes: totalmem(),
    release: release(),
  };
}
