import { InjectedFile } from '../gen/a3s/box/agent/v1/agent.js';
import type { GuestNetwork } from '../ports/network.js';
import { bareAddresses } from './box-networks.js';

const MODE = 0o644;

/** The files that every container gets in place of the image's: host name and name resolution. */
export function containerFiles(hostname: string, network: GuestNetwork | undefined): InjectedFile[] {
  const known = network ? bareAddresses(network) : [];
  const own = known.length > 0 ? known : ['127.0.1.1'];
  const hosts = [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    ...own.map((address) => `${address}\t${hostname}`),
  ];
  // Without a network there is nobody to ask.
  const servers = network?.nameServers.map((address) => `nameserver ${address}\n`) ?? [];
  return [
    file('/etc/hostname', `${hostname}\n`),
    file('/etc/hosts', `${hosts.join('\n')}\n`),
    file('/etc/resolv.conf', servers.join('')),
  ];
}

function file(path: string, text: string): InjectedFile {
  return { path, content: Buffer.from(text), mode: MODE };
}
