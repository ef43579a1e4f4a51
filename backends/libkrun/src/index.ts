export { KRUN_CAPABILITIES, KrunHypervisor, startVm, type KrunProbe, type KrunProbeResult } from './krun-hypervisor.js';
export type { KrunMachine } from './krun-launch.js';
