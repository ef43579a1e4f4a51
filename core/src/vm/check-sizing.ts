import type { Sizing } from '../box/box-spec.js';
import { BoxError } from '../errors/box-error.js';
import type { VmLimits } from '../ports/hypervisor.js';

const MIB = 1024 * 1024;

/** @param limits of the backend @throws INVALID_ARGUMENT for a VM that it cannot make */
export function checkSizing(sizing: Sizing, limits: VmLimits): void {
  const { vcpus, memoryBytes } = sizing;
  const { maxVcpus, minMemoryBytes, maxMemoryBytes } = limits;
  if (vcpus < 1 || vcpus > maxVcpus) {
    throw new BoxError('INVALID_ARGUMENT', `${vcpus} CPUs are more than this backend can give to a box`, {
      hint: `give --cpus from 0.01 to ${maxVcpus}`,
    });
  }
  if (memoryBytes < minMemoryBytes || memoryBytes > maxMemoryBytes) {
    throw new BoxError('INVALID_ARGUMENT', `a box cannot have ${memoryBytes / MIB} MiB of memory`, {
      hint: `give -m from ${minMemoryBytes / MIB}m to ${Math.floor(maxMemoryBytes / MIB)}m`,
    });
  }
}
