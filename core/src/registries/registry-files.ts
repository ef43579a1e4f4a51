import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { BoxError } from '../errors/box-error.js';
import { inject, injectable } from '../kernel/container.js';
import { schemaProblems } from '../kernel/schema-problems.js';
import { registries as isRegistries } from '../kernel/schema-validators.gen.js';
import type { ProxySettings, RegistryHost, RegistryRoute, RegistrySettings } from '../ports/registry.js';
import { RegistryDefaultsToken } from '../service-tokens.js';
import { HomeLayout } from '../store/home-layout.js';

/** What a host tells of registries besides the home's files. */
export interface RegistryDefaults {
  /** Directory with certificates in Docker's layout (`HOST[:PORT]/*.crt`), beside the home's; it need not exist. */
  readonly certificates?: string;
  /** Of the environment. */
  readonly proxy?: ProxySettings;
}

/** As core/schema/registries.schema.json says. */
interface RegistriesDocument {
  readonly registries?: Readonly<Record<string, { readonly plainHttp?: boolean; readonly caFile?: string }>>;
  readonly routes?: readonly RegistryRoute[];
  readonly proxy?: ProxySettings;
}

type Host = { -readonly [K in keyof RegistryHost]: RegistryHost[K] };
type Hosts = Map<string, Host>;

/** The files that say how registries are spoken to: `registries.json` and `certs.d` of the home, and the host's. */
@injectable()
export class RegistryFiles {
  constructor(
    private readonly home: HomeLayout,
    @inject(RegistryDefaultsToken) private readonly defaults: RegistryDefaults,
  ) {}

  /** What they say now. @throws INVALID_ARGUMENT naming the file and what is wrong with it */
  async read(): Promise<RegistrySettings> {
    const document = await this.#document();
    const hosts: Hosts = new Map();
    const { certificates } = this.defaults;
    if (certificates !== undefined) await addCertificates(hosts, certificates);
    await addCertificates(hosts, this.home.registryCertificates);
    for (const [name, { plainHttp, caFile }] of Object.entries(document.registries ?? {})) {
      const host = hostOf(hosts, name);
      if (plainHttp !== undefined) host.plainHttp = plainHttp;
      if (caFile !== undefined) {
        const pem = await certificatesIn(resolve(this.home.root, caFile));
        host.authorities = [...(host.authorities ?? []), pem];
      }
    }
    const proxy = document.proxy ?? this.defaults.proxy;
    return { hosts: Object.fromEntries(hosts), routes: document.routes ?? [], ...(proxy !== undefined && { proxy }) };
  }

  async #document(): Promise<RegistriesDocument> {
    const file = this.home.registries;
    const text = await ifPresent(readFile(file, 'utf8'), file);
    if (text === undefined) return {};
    let document: unknown;
    try {
      document = JSON.parse(text);
    } catch (cause) {
      throw invalid(file, `it is not JSON: ${(cause as Error).message}`, cause);
    }
    const problems = schemaProblems(isRegistries, document, 'registries');
    if (problems.length > 0) throw invalid(file, problems.join('; '));
    checkProxies(file, (document as RegistriesDocument).proxy);
    return document as RegistriesDocument;
  }
}

function checkProxies(file: string, { http, https }: ProxySettings = {}): void {
  for (const url of [http, https]) {
    if (url === undefined || url === '') continue;
    const scheme = URL.canParse(url) ? new URL(url).protocol : '';
    if (scheme !== 'http:' && scheme !== 'https:') throw invalid(file, 'a proxy is no http or https URL');
  }
}

/** Docker's layout: a directory for each registry, with authorities in *.crt and a pair of *.cert and *.key. */
async function addCertificates(hosts: Hosts, directory: string): Promise<void> {
  for (const name of (await ifPresent(readdir(directory), directory)) ?? []) {
    const place = join(directory, name);
    const files = (await ifPresent(readdir(place), place)) ?? [];
    const host = hostOf(hosts, name);
    for (const file of files.toSorted()) {
      if (file.endsWith('.crt')) {
        host.authorities = [...(host.authorities ?? []), await certificatesIn(join(place, file))];
      } else if (file.endsWith('.cert')) {
        const key = `${file.slice(0, -'.cert'.length)}.key`;
        if (!files.includes(key)) throw invalid(join(place, file), `there is no ${key} beside it`);
        host.client = { certificate: await certificatesIn(join(place, file)), key: await read(join(place, key)) };
      }
    }
  }
}

function hostOf(hosts: Hosts, name: string): Host {
  let host = hosts.get(name);
  if (host === undefined) hosts.set(name, (host = {}));
  return host;
}

async function certificatesIn(file: string): Promise<string> {
  const pem = await read(file);
  try {
    new X509Certificate(pem);
  } catch (cause) {
    throw invalid(file, 'it has no certificate in PEM', cause);
  }
  return pem;
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw invalid(file, `it cannot be read: ${(cause as NodeJS.ErrnoException).code}`, cause);
  }
}

/** @returns undefined when there is no such file or directory */
async function ifPresent<T>(reading: Promise<T>, path: string): Promise<T | undefined> {
  try {
    return await reading;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw invalid(path, `it cannot be read: ${code}`, cause);
  }
}

function invalid(file: string, problem: string, cause?: unknown): BoxError {
  return new BoxError('INVALID_ARGUMENT', `registry configuration ${file} cannot be used: ${problem}`, {
    hint: 'docs/images.md says what it may have',
    ...(cause !== undefined && { cause }),
  });
}
