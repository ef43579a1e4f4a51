export { checkDockerfile } from './check/check-dockerfile.js';
export type { Warning } from './check/rule.js';
export { readDockerfile, type PlacedFault, type Reading } from './dockerfile/read-dockerfile.js';
export { showFaults } from './dockerfile/show-faults.js';
