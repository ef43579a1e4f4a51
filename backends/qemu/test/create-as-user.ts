// Starts a VM as whoever runs this: HOME. Writes what the VMM's /proc entry says, and what the guest does.
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GuestConnection } from '@a3s-box/contract-hypervisor';
import { contractBoot, qemu } from './test-hypervisor.ts';

const [home = ''] = process.argv.slice(2);
const signal = new AbortController().signal;
const directory = join(home, 'v');
mkdirSync(directory, { mode: 0o700 });
const shape = { vcpus: 1, memoryBytes: 256 * 1024 * 1024, network: false, share: false };
const vm = await qemu(home).create(
  { id: 'user', directory, boot: await contractBoot(home), shape, disks: {} },
  { signal },
);
const status = readFileSync(`/proc/${vm.vmm.pid}/status`, 'latin1');
const field = (name: string): string => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1] ?? '';
const guest = await GuestConnection.open(vm.agent);
const answer = await guest.ask('ping user');
guest[Symbol.dispose]();
await vm.kill();
await vm.close();
const found = {
  uid: Number(field('Uid')),
  seccomp: field('Seccomp'),
  noNewPrivs: field('NoNewPrivs'),
  capEff: field('CapEff'),
  answer,
};
process.stdout.write(`${JSON.stringify(found)}\n`);
