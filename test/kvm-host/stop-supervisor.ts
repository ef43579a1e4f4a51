/** Ends the supervisor of A3S_BOX_HOME, which writes its part of the compile cache then. */
import { BoxClient } from '@a3s-box/core/client';
import { processGone } from '../e2e/support/process-gone.ts';

const client = await BoxClient.connect({ home: process.env['A3S_BOX_HOME'] ?? '' });
await client.stopSupervisor();
client.close();
await processGone(client.supervisor.pid);
