// A host that starts a VM and is killed then: HOME SPEC. Writes the VM's record once the guest has said that it runs.
import type { VmSpec } from '@a3s-box/core';
import { GuestConnection } from '@a3s-box/contract-hypervisor';
import { qemu } from './test-hypervisor.ts';

const [home = '', spec = ''] = process.argv.slice(2);
const vm = await qemu(home).create(JSON.parse(spec) as VmSpec, { signal: new AbortController().signal });
const guest = await GuestConnection.open(vm.agent);
await guest.ask('ping up');
process.stdout.write(JSON.stringify(vm.record));
