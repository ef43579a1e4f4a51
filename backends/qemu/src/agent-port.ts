import { once } from 'node:events';
import { connect } from 'node:net';

/**
 * Connects to a guest's agent port and hangs up. To be called, before anybody else connects, when the last host may have
 * gone while the guest stood still: QEMU does not look at the port then, so that what this host did not read any more
 * holds the port up until a hang-up that is seen.
 * @throws Error of the system when nobody listens
 */
export async function showHangUp(socket: string): Promise<void> {
  const connection = connect(socket);
  await once(connection, 'connect');
  const closed = once(connection, 'close');
  connection.resume().end();
  await closed;
}
