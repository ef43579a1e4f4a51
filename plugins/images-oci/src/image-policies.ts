import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Admission, Policy, PolicySubject, TrustRoot, TrustRootSource } from '@a3s-box/image-trust';
import { BoxError } from '@a3s-box/core';

/** What is asked of the policies; see `PolicySubject`. */
export type AdmissionSubject = Omit<PolicySubject, 'trustRootOf'>;

/**
 * The image policies of a store. The library that knows of signatures is loaded when there is a policy, or something is to
 * be verified: most uses of a store have neither.
 */
export class ImagePolicies {
  /**
   * @param locked the distribution's policy, a document as of image-policy.schema.json, which holds beside every other
   * @param cache directory for what is known of TUF repositories
   */
  constructor(
    private readonly locked: unknown,
    private readonly cache: string,
  ) {}

  /** Whether anything is asked of images. @param userFile need not exist */
  ask(userFile: string | undefined): boolean {
    return this.locked !== undefined || (userFile !== undefined && existsSync(userFile));
  }

  /**
   * Asks the distribution's policy and the user's. Without either, everything is let through, unverified.
   * @param userFile need not exist
   * @throws IMAGE_POLICY_INVALID, and as `applyPolicies`
   */
  async admit(subject: AdmissionSubject, userFile: string | undefined): Promise<Admission> {
    if (!this.ask(userFile)) return { signatures: [], rules: [], unverified: true };
    const { applyPolicies, parsePolicy, readPolicyFile } = await import('@a3s-box/image-trust');
    const policies: Policy[] = [];
    if (this.locked !== undefined) {
      const readText = (path: string): Promise<string> => readFile(path, 'utf8');
      const source = { name: "the distribution's image policy", directory: '/', readText };
      policies.push(await parsePolicy(JSON.stringify(this.locked), source));
    }
    if (userFile !== undefined && existsSync(userFile)) policies.push(await readPolicyFile(userFile));
    const trustRootOf = async ({ name, trustRoot }: Policy): Promise<TrustRoot> => {
      if (trustRoot !== undefined) return await this.trustRoot(trustRoot);
      throw new BoxError('INTERNAL', `image policy ${name} needs a trust root and has none`);
    };
    return await applyPolicies(policies, { ...subject, trustRootOf });
  }

  /** @throws TRUST_ROOT_INVALID */
  async trustRoot(source: TrustRootSource): Promise<TrustRoot> {
    const { parseTrustRoot, trustRootFromTuf } = await import('@a3s-box/image-trust');
    if (source.kind === 'tuf') {
      const { root, repository } = source;
      const place = createHash('sha256')
        .update(JSON.stringify([root, repository]))
        .digest('hex')
        .slice(0, 16);
      return await trustRootFromTuf({ root, repository, cache: join(this.cache, place) });
    }
    const text = await readFile(source.path).catch((cause: unknown) => {
      throw new BoxError('TRUST_ROOT_INVALID', `trust root ${source.path} cannot be read`, {
        hint: 'give a trusted_root.json, or a TUF root with its repository',
        cause,
      });
    });
    return parseTrustRoot(text);
  }
}
