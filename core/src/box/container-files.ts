import { InjectedFile } from '../gen/a3s/box/agent/v1/agent.js';

const MODE = 0o644;

/** The files that every container gets in place of the image's: host name and name resolution. */
export function containerFiles(hostname: string): InjectedFile[] {
  const hosts = ['127.0.0.1\tlocalhost', '::1\tlocalhost ip6-localhost ip6-loopback', `127.0.1.1\t${hostname}`];
  return [
    file('/etc/hostname', `${hostname}\n`),
    file('/etc/hosts', `${hosts.join('\n')}\n`),
    // Without a network there is nobody to ask.
    file('/etc/resolv.conf', ''),
  ];
}

function file(path: string, text: string): InjectedFile {
  return { path, content: Buffer.from(text), mode: MODE };
}
