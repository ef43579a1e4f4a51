import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { BoxError, type PublishedPort } from '@a3s-box/core';

/** The VMM listens where the guest does, which a published port cannot say otherwise. */
const EVERY_ADDRESS = '0.0.0.0';

/** @throws UNSUPPORTED for what the backend cannot publish, INVALID_ARGUMENT for a port that is published twice */
export function checkPorts(ports: readonly PublishedPort[]): void {
  for (const { protocol, hostAddress, guestPort } of ports) {
    if (protocol !== 'tcp') throw unsupported(`${protocol} port ${guestPort} cannot be published`);
    if (hostAddress !== EVERY_ADDRESS) {
      throw unsupported(`port ${guestPort} cannot be published on ${hostAddress} alone`);
    }
  }
  const twice = ports.find(({ guestPort }, at) => ports.findIndex((port) => port.guestPort === guestPort) !== at);
  if (twice) throw unsupported(`port ${twice.guestPort} of the box cannot be published twice`);
}

function unsupported(what: string): BoxError {
  return new BoxError('UNSUPPORTED', `${what} in network "tsi"`, { hint: 'choose --network default' });
}

/**
 * Makes sure that the host's ports are free, and chooses those that are to be chosen. The VMM takes them when the guest
 * listens.
 * @throws PORT_IN_USE, PERMISSION_DENIED
 */
export async function choosePorts(ports: readonly PublishedPort[]): Promise<PublishedPort[]> {
  const servers: Server[] = [];
  try {
    const chosen: PublishedPort[] = [];
    for (const port of ports) {
      const server = createServer();
      servers.push(server);
      chosen.push({ ...port, hostPort: await listen(server, port.hostPort) });
    }
    return chosen;
  } finally {
    await Promise.all(servers.map((server) => close(server)));
  }
}

async function listen(server: Server, port: number): Promise<number> {
  try {
    server.listen(port, EVERY_ADDRESS);
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') {
      const hint = 'choose another host port, or none to have one chosen';
      throw new BoxError('PORT_IN_USE', `tcp port ${port} of the host is in use`, { hint, cause });
    }
    if (code === 'EACCES') {
      const hint = 'ports below 1024 need root; choose a higher one';
      throw new BoxError('PERMISSION_DENIED', `tcp port ${port} of the host may not be listened on`, { hint, cause });
    }
    throw new BoxError('NETWORK_FAILED', `tcp port ${port} of the host cannot be listened on`, { cause });
  }
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  await closed;
}
