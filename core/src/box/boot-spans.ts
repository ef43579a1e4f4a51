import type { HelloResponse } from '../gen/a3s/box/agent/v1/agent.js';
import { wallClock, type Tracer } from '../vm/tracer.js';

/** Places the guest's own account of its start, which counts from its kernel's start, on the host's clock. */
export function addBootSpans(tracer: Tracer, hello: HelloResponse): void {
  const kernelStart = wallClock() - hello.boottimeNs;
  const begin = hello.phases[0]?.startNs ?? hello.boottimeNs;
  tracer.add({ name: 'kernel', process: 'kernel', startNs: kernelStart, endNs: kernelStart + begin });
  for (const { name, startNs, endNs } of hello.phases) {
    tracer.add({ name, process: 'guest-init', startNs: kernelStart + startNs, endNs: kernelStart + endNs });
  }
}
