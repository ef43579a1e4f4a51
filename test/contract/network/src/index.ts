export { networkSuite } from './suite.js';
export type { NetworkSuiteOptions } from './fixture.js';
export { Namespace, Outside } from './namespaces.js';
export type { Operations, Place, Stream } from './operations.js';
export { KNOWN } from './dns-server.js';
