export { HVF_CAPABILITIES, hvfSystem, type MacQuestions } from './hvf-system.js';
export { ENTITLEMENT, signatureObstacle, type ReadEntitlements } from './launcher-signature.js';
export { stableLibrary } from './stable-library.js';
