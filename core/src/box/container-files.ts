import { InjectedFile } from '../gen/a3s/box/agent/v1/agent.js';
import type { GuestNetwork } from '../ports/network.js';
import { bareAddresses } from './box-networks.js';
import { parseExtraHost } from './check-container-options.js';
import type { ContainerOptions } from './container-options.js';

const MODE = 0o644;

/** The files that every container gets in place of the image's: host name and name resolution. */
export function containerFiles(
  hostname: string,
  network: GuestNetwork | undefined,
  options: ContainerOptions = {},
): InjectedFile[] {
  const { domainName, extraHosts = [] } = options;
  const known = network ? bareAddresses(network) : [];
  const own = known.length > 0 ? known : ['127.0.1.1'];
  const names = domainName === undefined ? hostname : `${hostname}.${domainName} ${hostname}`;
  const hosts = [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    ...extraHosts.map(parseExtraHost).map(({ name, address }) => `${address}\t${name}`),
    ...own.map((address) => `${address}\t${names}`),
  ];
  return [
    file('/etc/hostname', `${hostname}\n`),
    file('/etc/hosts', `${hosts.join('\n')}\n`),
    file('/etc/resolv.conf', resolverConfiguration(network, options)),
  ];
}

/** resolv.conf(5) */
function resolverConfiguration(network: GuestNetwork | undefined, options: ContainerOptions): string {
  // Without a network there is nobody to ask.
  const { nameServers = network?.nameServers ?? [], searchDomains = [], resolverOptions = [] } = options;
  const search = searchDomains.filter((domain) => domain !== '.');
  const lines = [
    ...nameServers.map((address) => `nameserver ${address}`),
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    ...(resolverOptions.length > 0 ? [`options ${resolverOptions.join(' ')}`] : []),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function file(path: string, text: string): InjectedFile {
  return { path, content: Buffer.from(text), mode: MODE };
}
