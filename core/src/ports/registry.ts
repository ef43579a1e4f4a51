import type { Operation } from './operation.js';

/** What a registry knows somebody by. Who gets it forgets it after the call, and writes it nowhere. */
export interface RegistryCredentials {
  /** `host` or `host:port`; `docker.io` is Docker Hub. They are given to it, and to the token service that it names. */
  readonly registry: string;
  readonly username?: string;
  readonly password?: string;
  /** What a token service gave in the place of a password. */
  readonly identityToken?: string;
  /** A bearer token that the registry takes as it is. */
  readonly registryToken?: string;
}

/** How one registry is spoken to. */
export interface RegistryHost {
  /** Speak http to it, wherever it is. */
  readonly plainHttp?: boolean;
  /** Certificates in PEM to trust, besides those that every registry is trusted by. */
  readonly authorities?: readonly string[];
  /** Certificate and key in PEM that it knows this machine by. */
  readonly client?: { readonly certificate: string; readonly key: string };
}

/** Where the images below a name come from. */
export interface RegistryRoute {
  /** `registry` or `registry/path`: all names that are it or begin with it and a slash. The longest counts. */
  readonly prefix: string;
  /** What stands in the prefix's place when the registry is asked. Default: the prefix. */
  readonly location?: string;
  /** What stands in its place before that, one after the other, when an image is fetched. */
  readonly mirrors?: readonly string[];
}

/** Proxies by the scheme of what is asked for. Hosts of this machine are never asked through one. */
export interface ProxySettings {
  readonly http?: string;
  readonly https?: string;
  /** Hosts, domains and `host:port`, with commas between them, or `*`. */
  readonly noProxy?: string;
}

export interface RegistrySettings {
  /** By `host` or `host:port`, as names of images have it. */
  readonly hosts: Readonly<Record<string, RegistryHost>>;
  readonly routes: readonly RegistryRoute[];
  readonly proxy?: ProxySettings;
}

/** Options of what speaks to registries. */
export interface RegistryOptions {
  /** Default: every registry by its name, over TLS. */
  readonly settings?: RegistrySettings;
  /** Each for one registry. Default: none, anonymous. */
  readonly credentials?: readonly RegistryCredentials[];
  /** Speak http to the registry of this call; only to one on loopback. */
  readonly plainHttp?: boolean;
}

export interface LoginOptions extends Operation, Omit<RegistryOptions, 'credentials'> {
  readonly credentials: RegistryCredentials;
}
