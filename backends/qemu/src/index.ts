export { QemuHypervisor } from './qemu-hypervisor.js';
export { AccelerationProbe, type AccelerationProbeOptions, type ProbeResult } from './acceleration-probe.js';
