export { KvmProbe, type KvmProbeOptions } from './kvm-probe.js';
