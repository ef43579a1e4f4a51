import { definePort } from './port.js';
import type { Operation } from './operation.js';

/**
 * Verifies what a guest proves about itself. The host of a confidential box is not trusted by the verifier, so a
 * provider works from evidence and policy alone and never from what the local machine says.
 *
 * Concurrency: all methods may be called at the same time; they keep no state between calls but caches of public
 * certificates and revocation lists.
 */
export interface Attestation {
  /** Kind of evidence, for example `sev-snp`, `simulated`. */
  readonly name: string;

  /**
   * The trust that a positive verdict carries. A policy that asks for `hardware` accepts no verdict of `simulated`,
   * whatever else it says.
   */
  readonly trust: 'hardware' | 'simulated';

  /** Says whether guests of this machine can produce such evidence, and why. Never throws for an unusable machine. */
  probe(operation: Operation): Promise<AttestationProbe>;

  /**
   * Computes the launch measurement that a guest of this shape must show.
   * @throws UNSUPPORTED for a shape that this technology cannot launch
   */
  expectedMeasurement(launch: LaunchDescription, operation: Operation): Promise<Uint8Array>;

  /**
   * Verifies evidence against a policy: signature and certificate chain, revocation, versions, measurement, freshness.
   * A refused policy is a verdict, not an exception.
   * @throws EVIDENCE_MALFORMED when the bytes cannot be parsed @throws ENDORSEMENTS_UNAVAILABLE when certificates or
   * revocation lists are neither given nor reachable
   */
  verify(evidence: Evidence, policy: AttestationPolicy, operation: Operation): Promise<AttestationVerdict>;
}

export const AttestationPort = definePort<Attestation>('a3s-box.attestation.v1');

export interface AttestationProbe {
  readonly usable: boolean;
  /** One sentence: why, and what would change that. */
  readonly reason: string;
}

/** All that enters a launch measurement. */
export interface LaunchDescription {
  readonly vcpus: number;
  /** Absolute paths. */
  readonly kernel: string;
  readonly initramfs: string;
  readonly commandLine: string;
  /** Of the technology in question, for example the firmware image and the CPU type. */
  readonly details: Readonly<Record<string, unknown>>;
}

export interface Evidence {
  /** {@link Attestation.name} of the provider that understands it. */
  readonly kind: string;
  /** The report or quote as the hardware gave it. */
  readonly report: Uint8Array;
  /** Certificates that came with it, DER, leaf first. */
  readonly certificates: readonly Uint8Array[];
}

export interface AttestationPolicy {
  readonly trust: 'hardware' | 'simulated';
  /** Measurements that are accepted; at least one. */
  readonly measurements: readonly Uint8Array[];
  /** Exactly what the report must carry: 64 bytes that the verifier's challenge went into. */
  readonly reportData: Uint8Array;
  /** Least versions of firmware and microcode, by the names of the technology. */
  readonly minimumVersions: Readonly<Record<string, number>>;
  readonly allowDebug: boolean;
}

export type AttestationVerdict =
  | {
      readonly accepted: true;
      readonly trust: 'hardware' | 'simulated';
      readonly claims: Readonly<Record<string, unknown>>;
    }
  /** Every check that failed, not the first alone. */
  | { readonly accepted: false; readonly failures: readonly AttestationFailure[] };

export interface AttestationFailure {
  /** For example `signature`, `measurement`, `report-data`, `trust`, `version`, `revoked`, `debug`. */
  readonly check: string;
  readonly reason: string;
}
