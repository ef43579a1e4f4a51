import { BoxError } from '../errors/box-error.js';
import {
  ImageReferrer as ReferrerMessage,
  ImageSignature as SignatureMessage,
  type RegistryAccess,
  type SignaturesServer,
  type SignerQuery as QueryMessage,
  type SignImageRequest,
  type TrustRootPlace as TrustRootMessage,
} from '../gen/a3s/box/supervisor/v1/signatures.js';
import { inject, injectable } from '../kernel/container.js';
import type { ImageStore } from '../ports/image-store.js';
import type { ImageSignature, ImageSigner, SignerQuery, SignOptions, TrustRootPlace } from '../ports/image-trust.js';
import type { Logger } from '../ports/logger.js';
import type { RegistryOptions } from '../ports/registry.js';
import { RegistryFiles } from '../registries/registry-files.js';
import { ImageStoreToken, LoggerToken } from '../service-tokens.js';
import { HomeLayout } from '../store/home-layout.js';
import { unaryHandler } from './grpc-handlers.js';
import { credentialsFrom } from './registry-messages.js';

/** The Signatures service of the supervisor protocol. */
@injectable()
export class SignatureHandlers {
  constructor(
    private readonly registries: RegistryFiles,
    private readonly home: HomeLayout,
    @inject(ImageStoreToken) private readonly images: ImageStore,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  handlers(): SignaturesServer {
    const { images, home, logger } = this;
    return {
      verify: unaryHandler(logger, async ({ image, access, signer, predicateType }, { signal }) => {
        const { digest, signatures } = await images.verify(image, {
          ...(await this.#access(access)),
          ...(signer && { signer: queryFrom(signer) }),
          ...(predicateType !== '' && { predicateType }),
          policyFile: home.imagePolicy,
          signal,
        });
        return { digest, signatures: signatures.map(signatureOf) };
      }),
      sign: unaryHandler(logger, async (request, { signal }) => {
        const { image, access, format, predicateType, predicate } = request;
        return await images.sign(image, {
          ...(await this.#access(access)),
          signer: signerFrom(request),
          ...(format !== '' && { format: formatFrom(format) }),
          ...(predicateType !== '' && { attestation: { predicateType, predicate: predicateFrom(predicate) } }),
          signal,
        });
      }),
      listReferrers: unaryHandler(logger, async ({ image, access }, { signal }) => {
        const referrers = await images.referrers(image, { ...(await this.#access(access)), signal });
        return {
          referrers: referrers.map((it) => ReferrerMessage.create({ ...it, sizeBytes: BigInt(it.sizeBytes) })),
        };
      }),
    };
  }

  async #access(access: RegistryAccess | undefined): Promise<RegistryOptions> {
    const credentials = (access?.credentials ?? []).map(credentialsFrom);
    return { settings: await this.registries.read(), credentials, plainHttp: access?.plainHttp ?? false };
  }
}

function signatureOf({ signer, attestation, ...rest }: ImageSignature): SignatureMessage {
  return SignatureMessage.create({
    ...rest,
    ...(signer.kind === 'key' ? { key: signer.key } : { subject: signer.subject, issuer: signer.issuer }),
    ...(attestation && {
      predicateType: attestation.predicateType,
      predicate: JSON.stringify(attestation.predicate),
    }),
  });
}

function queryFrom({ keys, identities, trustRoot }: QueryMessage): SignerQuery {
  const place = trustRoot && trustRootFrom(trustRoot);
  if (keys.length > 0 && identities.length > 0) {
    throw new BoxError('INVALID_ARGUMENT', 'both a key and an identity are said to have signed', { hint: 'name one' });
  }
  if (keys.length > 0) return { kind: 'key', keys, ...(place && { log: place }) };
  if (identities.length === 0 || !place) {
    throw new BoxError('INVALID_ARGUMENT', 'it is not said who must have signed', {
      hint: 'name a key, or an identity, its issuer and a trust root',
    });
  }
  const named = identities.map(({ subject, subjectPattern, issuer, issuerPattern }) => ({
    ...(subject !== '' && { subject }),
    ...(subjectPattern !== '' && { subjectPattern }),
    ...(issuer !== '' && { issuer }),
    ...(issuerPattern !== '' && { issuerPattern }),
  }));
  return { kind: 'keyless', identities: named, trustRoot: place };
}

function trustRootFrom({ document, tufRoot, tufRepository }: TrustRootMessage): TrustRootPlace {
  if (document !== '') return { kind: 'document', text: document };
  return { kind: 'tuf', root: tufRoot, repository: tufRepository };
}

function signerFrom({ key, password, keyless }: SignImageRequest): ImageSigner {
  if (key !== '') return { kind: 'key', key, password };
  if (!keyless) throw new BoxError('INVALID_ARGUMENT', 'sign: there is neither a key nor an identity');
  const { timestampUrl, ...services } = keyless;
  return { kind: 'keyless', ...services, ...(timestampUrl !== '' && { timestampUrl }) };
}

function formatFrom(format: string): NonNullable<SignOptions['format']> {
  if (format === 'bundle' || format === 'tag') return format;
  throw new BoxError('INVALID_ARGUMENT', `there is no signature format "${format}"`, { hint: 'bundle or tag' });
}

function predicateFrom(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (cause) {
    throw new BoxError('INVALID_ARGUMENT', 'predicate of the attestation is no JSON', { cause });
  }
  throw new BoxError('INVALID_ARGUMENT', 'predicate of the attestation is no JSON object');
}
