/**
 * Every stable error code with its gRPC status (numbers as in google.rpc.Code) and the CLI's exit status (Docker's
 * conventions: 125 our failure, 126 cannot execute, 127 not found, 124 timeout). Codes are never reused.
 */
export const ERROR_TABLE = {
  CANCELLED: { grpc: 1, exitStatus: 125 },
  INTERNAL: { grpc: 13, exitStatus: 125 },
  INVALID_ARGUMENT: { grpc: 3, exitStatus: 125 },
  UNSUPPORTED: { grpc: 12, exitStatus: 125 },
  NOT_FOUND: { grpc: 5, exitStatus: 125 },
  ALREADY_EXISTS: { grpc: 6, exitStatus: 125 },
  CONFLICT: { grpc: 9, exitStatus: 125 },
  PERMISSION_DENIED: { grpc: 7, exitStatus: 125 },
  LIMIT_EXCEEDED: { grpc: 8, exitStatus: 125 },
  DISK_FULL: { grpc: 8, exitStatus: 125 },
  TIMEOUT: { grpc: 4, exitStatus: 124 },
  COMMAND_NOT_FOUND: { grpc: 5, exitStatus: 127 },
  COMMAND_NOT_EXECUTABLE: { grpc: 9, exitStatus: 126 },
  HOME_UNUSABLE: { grpc: 9, exitStatus: 125 },
  ASSETS_MISSING: { grpc: 9, exitStatus: 125 },
  ASSETS_CORRUPT: { grpc: 15, exitStatus: 125 },
  STATE_CORRUPT: { grpc: 15, exitStatus: 125 },
  // Plugins
  PLUGIN_INVALID: { grpc: 9, exitStatus: 125 },
  PLUGIN_FAILED: { grpc: 13, exitStatus: 125 },
  DISTRIBUTION_INVALID: { grpc: 3, exitStatus: 125 },
  // Machines
  BACKEND_UNAVAILABLE: { grpc: 9, exitStatus: 125 },
  VM_START_FAILED: { grpc: 13, exitStatus: 125 },
  VM_ENDED: { grpc: 9, exitStatus: 125 },
  VM_CRASHED: { grpc: 13, exitStatus: 125 },
  TEMPLATE_UNUSABLE: { grpc: 9, exitStatus: 125 },
  CONFINEMENT_FAILED: { grpc: 13, exitStatus: 125 },
  AGENT_UNREACHABLE: { grpc: 14, exitStatus: 125 },
  AGENT_INCOMPATIBLE: { grpc: 9, exitStatus: 125 },
  // Supervisor
  SUPERVISOR_UNREACHABLE: { grpc: 14, exitStatus: 125 },
  SUPERVISOR_INCOMPATIBLE: { grpc: 9, exitStatus: 125 },
  // Images
  IMAGE_NOT_FOUND: { grpc: 5, exitStatus: 125 },
  IMAGE_IN_USE: { grpc: 9, exitStatus: 125 },
  IMAGE_CORRUPT: { grpc: 15, exitStatus: 125 },
  INVALID_REFERENCE: { grpc: 3, exitStatus: 125 },
  AMBIGUOUS_REFERENCE: { grpc: 3, exitStatus: 125 },
  REGISTRY_FAILED: { grpc: 14, exitStatus: 125 },
  REGISTRY_DENIED: { grpc: 7, exitStatus: 125 },
  // Signatures of images
  IMAGE_UNSIGNED: { grpc: 9, exitStatus: 125 },
  IMAGE_REJECTED: { grpc: 7, exitStatus: 125 },
  IMAGE_POLICY_INVALID: { grpc: 3, exitStatus: 125 },
  ATTESTATION_MISSING: { grpc: 9, exitStatus: 125 },
  SIGNATURE_MALFORMED: { grpc: 3, exitStatus: 125 },
  SIGNATURE_INVALID: { grpc: 7, exitStatus: 125 },
  SIGNATURE_TAMPERED: { grpc: 15, exitStatus: 125 },
  SIGNATURE_EXPIRED: { grpc: 7, exitStatus: 125 },
  SIGNER_UNTRUSTED: { grpc: 7, exitStatus: 125 },
  SIGNER_IDENTITY_MISMATCH: { grpc: 7, exitStatus: 125 },
  LOG_PROOF_MISSING: { grpc: 9, exitStatus: 125 },
  LOG_PROOF_INVALID: { grpc: 15, exitStatus: 125 },
  TIMESTAMP_INVALID: { grpc: 15, exitStatus: 125 },
  TRUST_ROOT_INVALID: { grpc: 3, exitStatus: 125 },
  SIGNING_KEY_INVALID: { grpc: 3, exitStatus: 125 },
  SIGNING_FAILED: { grpc: 14, exitStatus: 125 },
  // Networks
  NETWORK_FAILED: { grpc: 13, exitStatus: 125 },
  PORT_IN_USE: { grpc: 6, exitStatus: 125 },
  // Attestation
  EVIDENCE_MALFORMED: { grpc: 3, exitStatus: 125 },
  ENDORSEMENTS_UNAVAILABLE: { grpc: 14, exitStatus: 125 },
  // Builds
  BUILD_INVALID: { grpc: 3, exitStatus: 125 },
  BUILD_STEP_FAILED: { grpc: 9, exitStatus: 125 },
} as const satisfies Record<string, { readonly grpc: number; readonly exitStatus: number }>;

export type ErrorCode = keyof typeof ERROR_TABLE;
