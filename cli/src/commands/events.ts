import { defineCommand } from '../command.js';
import { parseMoment } from '../grammar/moment.js';
import { nonEmpty } from '../grammar/values.js';
import { objectFormatFlag } from './format-flag.js';

const moment = { kind: 'value', placeholder: 'TIME', parse: (value: string) => parseMoment(value) } as const;

export const eventsFlags = {
  filter: {
    kind: 'list',
    char: 'f',
    placeholder: 'NAME=VALUE',
    parse: nonEmpty,
    summary:
      'only events with this container, event, image, label, network, scope, snapshot, type or volume; of several values for one ' +
      'name any will do, but every label has to be there',
  },
  ...objectFormatFlag,
  since: { ...moment, summary: 'begin with what was kept from this time on: 2026-01-02T15:04:05Z, or 10m ago' },
  until: { ...moment, summary: 'end at this time' },
} as const;

export const events = defineCommand({
  name: 'events',
  family: 'System',
  summary: 'Print what happens to boxes, images, volumes, networks and snapshots',
  description: [
    "As it happens, until it is interrupted. With --since first what was kept; the newest ten thousand events are. Names of events are Docker's.",
  ],
  synopsis: '',
  minArgs: 0,
  maxArgs: 0,
  interspersed: true,
  flags: eventsFlags,
  examples: [
    'a3s-box events --since 1h --filter event=die --filter container=web',
    "a3s-box events --format '{{.Time}} {{.Action}} {{.Actor.Attributes.name}}'",
  ],
  load: async () => (await import('../actions/events.js')).printEvents,
});
