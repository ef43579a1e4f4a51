export { foundLibkrun, type FoundLibkrun, type LibkrunHints } from './found-libkrun.js';
export { impairedIn } from './impaired.js';
export {
  KRUN_CAPABILITIES,
  KrunHypervisor,
  startVm,
  type KrunProbe,
  type KrunProbeResult,
  type VmStart,
} from './krun-hypervisor.js';
export type { KrunHost, KrunMachine } from './krun-host.js';
export { namingHost, type NamingHostOptions } from './naming-host.js';
export { SystemProbe, type KrunSystem, type SystemProbeOptions } from './system-probe.js';
