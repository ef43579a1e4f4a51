import { BoxError, type RegistryOptions, type RegistryRoute } from '@a3s-box/core';
import { quoted } from './quoted.js';
import { isRegistryName, isRepositoryPath, repositoryOf, type Reference } from './reference.js';

/** One place that a repository is at. */
export interface RegistryEndpoint {
  /** `host` or `host:port`, as names of images have it. */
  readonly registry: string;
  /** Scheme and host; its path is `/`. */
  readonly base: URL;
  /** The repository there. */
  readonly path: string;
}

/**
 * Where a reference's repository is asked for: at its mirrors, then at its registry. Names are spoken to over https; http
 * is for registries whose settings say so and, when asked for, for the reference's own on this machine.
 * @throws INVALID_ARGUMENT when plain http is asked for another machine, INVALID_REFERENCE when there can be no address
 */
export function endpointsOf(reference: Reference, options: RegistryOptions): readonly RegistryEndpoint[] {
  const name = repositoryOf(reference);
  const route = routeOf(name, options.settings?.routes ?? []);
  const rest = name.slice(route.prefix.length);
  const place = (location: string, plainHttp: boolean): RegistryEndpoint => {
    const full = `${location}${rest}`;
    const slash = full.indexOf('/');
    const [registry, path] = [full.slice(0, slash), full.slice(slash + 1)];
    if (slash === -1 || !isRegistryName(registry) || !isRepositoryPath(path)) {
      throw new BoxError(
        'INVALID_REFERENCE',
        `image ${quoted(name)} is ${quoted(full)} by its route, which is no name`,
        {
          hint: 'correct the route in registries.json',
        },
      );
    }
    return { registry, base: registryAddress(registry, { ...options, plainHttp }), path };
  };
  const mirrors = route.mirrors ?? [];
  return [
    ...mirrors.map((mirror) => place(mirror, false)),
    place(route.location ?? route.prefix, options.plainHttp ?? false),
  ];
}

/** The route with the longest prefix; without one, to where the name says. */
function routeOf(name: string, routes: readonly RegistryRoute[]): RegistryRoute {
  const fitting = routes.filter(({ prefix }) => name === prefix || name.startsWith(`${prefix}/`));
  const longest = fitting.toSorted((a, b) => b.prefix.length - a.prefix.length)[0];
  return longest ?? { prefix: name.slice(0, name.indexOf('/')) };
}

/** The address of a registry. @throws as {@link endpointsOf} */
export function registryAddress(registry: string, { settings, plainHttp = false }: RegistryOptions): URL {
  const host = registry === 'docker.io' ? 'registry-1.docker.io' : registry;
  const configured = settingsOf(settings, registry)?.plainHttp === true;
  const address = addressOf(plainHttp || configured ? 'http' : 'https', host);
  if (plainHttp && !configured && !isLoopback(address.hostname)) {
    throw new BoxError(
      'INVALID_ARGUMENT',
      `registry ${registry} is not on this machine, so it is not spoken to without TLS`,
      { hint: 'leave --plain-http away; if the network can be trusted, set plainHttp for it in registries.json' },
    );
  }
  return address;
}

/** What the settings say of a host. */
export function settingsOf(settings: RegistryOptions['settings'], host: string) {
  return settings !== undefined && Object.hasOwn(settings.hosts, host) ? settings.hosts[host] : undefined;
}

/**
 * URLs take `1.2` or `0x7f.1` for numbers of an IPv4 address, and refuse what a reference's grammar allows, such as the
 * port 99999. What is spoken to is the host that the reference names, or none.
 */
function addressOf(scheme: string, host: string): URL {
  const text = `${scheme}://${host}/`;
  const address = URL.canParse(text) ? new URL(text) : undefined;
  const name = host.replace(/:\d+$/, '').toLowerCase();
  if (address !== undefined && (address.hostname === name || name.startsWith('['))) return address;
  throw new BoxError('INVALID_REFERENCE', `registry ${quoted(host)} is no name or address of a host`, {
    hint: 'write it as host, address or [IPv6 address], with a port up to 65535 where one is needed',
  });
}

/** Whether a URL may be followed to: https, the http server that it comes from, or http on this machine from http there. */
export function mayFollow(from: URL, to: URL): boolean {
  if (to.username !== '' || to.password !== '') return false;
  if (to.protocol === 'https:') return true;
  if (to.protocol !== 'http:' || from.protocol !== 'http:') return false;
  return to.host === from.host || (isLoopback(from.hostname) && isLoopback(to.hostname));
}

export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname);
}
