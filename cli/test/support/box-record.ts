import type { BoxRecord } from '@a3s-box/core/client';

export const MINUTE = 60_000;
export const now = new Date('2026-01-01T12:00:00Z');

/** A box that runs, as a client gets it. */
export function aBox(change: Partial<BoxRecord> = {}): BoxRecord {
  return {
    id: 'ab'.repeat(32),
    name: 'web',
    spec: {
      image: 'a3s/starter',
      command: ['sh', '-c', 'echo hi; sleep 60'],
      environment: ['A=1'],
      terminal: false,
      stdinOpen: false,
      autoRemove: false,
      labels: { b: '', a: '1' },
      ports: [
        { hostAddress: '::1', hostPort: 0, guestPort: 80, protocol: 'tcp' },
        { hostAddress: '0.0.0.0', hostPort: 5353, guestPort: 5353, protocol: 'udp' },
      ],
    },
    imageId: `sha256:${'cd'.repeat(32)}`,
    state: 'running',
    created: new Date(now.getTime() - 5 * MINUTE),
    started: new Date(now.getTime() - 3 * MINUTE),
    backend: 'qemu',
    acceleration: 'emulation',
    cloned: false,
    vmmPid: 42,
    vcpus: 1,
    memoryBytes: 512 * 2 ** 20,
    generation: 4,
    restartCount: 0,
    arguments: ['sh', '-c', 'echo hi; sleep 60'],
    network: 'default',
    addresses: ['10.0.2.15/24', 'fd00::2/64'],
    ports: [
      { hostAddress: '0.0.0.0', hostPort: 5353, guestPort: 5353, protocol: 'udp' },
      { hostAddress: '::1', hostPort: 8080, guestPort: 80, protocol: 'tcp' },
    ],
    ...change,
  };
}
