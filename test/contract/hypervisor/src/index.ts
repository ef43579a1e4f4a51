export { hypervisorSuite } from './suite.js';
export type { FileServer, HypervisorSuiteOptions } from './fixture.js';
export { contractGuestInit } from './contract-guest.js';
export { GuestConnection } from './guest-connection.js';
export { processesOf } from './leftovers.js';
