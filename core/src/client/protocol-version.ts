/**
 * Minor version of the supervisor protocol (package `a3s.box.supervisor.v1`) that this code speaks. A supervisor
 * serves its own and older ones.
 */
export const SUPERVISOR_PROTOCOL_MINOR = 0;
