import type { HelloResponse } from '../gen/a3s/box/agent/v1/agent.js';
import { wallClock, type Tracer } from '../vm/tracer.js';

/** Places the guest's own account of its start, which counts from its kernel's start, on the host's clock. */
export function addBootSpans(tracer: Tracer, hello: HelloResponse): void {
  const kernelStart = wallClock() - hello.boottimeNs;
  for (const { name, startNs, endNs } of hello.phases) {
    const process = name === 'kernel' ? 'kernel' : 'guest-init';
    tracer.add({ name, process, startNs: kernelStart + startNs, endNs: kernelStart + endNs });
  }
}
