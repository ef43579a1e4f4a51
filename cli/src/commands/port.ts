import { defineCommand } from '../command.js';

export const port = defineCommand({
  name: 'port',
  family: 'Boxes',
  summary: 'Show where the host listens for a box',
  synopsis: 'BOX [PORT[/PROTOCOL]]',
  minArgs: 1,
  maxArgs: 2,
  interspersed: true,
  flags: {},
  examples: ['a3s-box port web', 'a3s-box port web 80/tcp'],
  load: async () => (await import('../actions/port.js')).showPorts,
});
