export { readDockerfile, type PlacedFault, type Reading } from './dockerfile/read-dockerfile.js';
export { showFaults } from './dockerfile/show-faults.js';
