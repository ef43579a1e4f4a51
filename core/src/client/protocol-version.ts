/**
 * Minor version of the supervisor protocol (package `a3s.box.supervisor.v1`) that this code speaks. A supervisor
 * serves its own and the one before.
 */
export const SUPERVISOR_PROTOCOL_MINOR = 4;
