import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { AGENT_PROTOCOL_MINOR } from '../../guest/agent-session.js';
import type { BootAssets, Hypervisor, VmShape } from '../../ports/hypervisor.js';

/** What a VM is made from: VMs of equal subjects can be clones of one template. */
export interface TemplateSubject {
  readonly hypervisor: Hypervisor;
  /** Of the backend's probe. */
  readonly fingerprint: string;
  readonly boot: BootAssets;
  readonly shape: VmShape;
}

/** Version of what a template's guest was told before it was stopped. */
const PREPARATION_VERSION = 1;
const KEY_LENGTH = 32;
const KEY = /^[0-9a-f]{32}$/;

/** Name of the template for a subject: a digest over everything that shapes the VM. */
export function templateKey({ hypervisor, fingerprint, boot, shape }: TemplateSubject): string {
  // Names of boot assets hold the digests of what they were made from.
  const assets = [basename(boot.kernel), basename(boot.initramfs)];
  const { vcpus, memoryBytes, network, share } = shape;
  const all = [PREPARATION_VERSION, AGENT_PROTOCOL_MINOR, hypervisor.name, fingerprint, assets];
  const text = JSON.stringify([...all, { vcpus, memoryBytes, network, share }]);
  return createHash('sha256').update(text).digest('hex').slice(0, KEY_LENGTH);
}

export function isTemplateKey(name: string): boolean {
  return KEY.test(name);
}
