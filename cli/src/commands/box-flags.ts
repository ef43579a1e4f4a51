/** Flags that `create` and `run` share: all that shapes a box. */
import { text } from '../grammar/flag.js';
import { parsePublishedPort } from '../grammar/published-port.js';
import { parseRestartPolicy } from '../grammar/restart-policy.js';
import {
  nonEmpty,
  parseCpus,
  parseDuration,
  parseLabel,
  parseLogOption,
  parseNetwork,
  parseSize,
} from '../grammar/values.js';
import { containerFlags } from './container-flags.js';
import { healthFlags } from './health-flags.js';
import { processFlags } from './process-flags.js';
import { volumeFlags } from './volume-flags.js';

export const boxFlags = {
  ...processFlags,
  ...containerFlags,
  ...volumeFlags,
  ...healthFlags,
  backend: {
    kind: 'value',
    placeholder: 'NAME',
    parse: nonEmpty,
    absent: 'the best usable one',
    summary: "use this backend and no other (see 'a3s-box info')",
  },
  cpus: {
    kind: 'value',
    placeholder: 'NUMBER',
    parse: parseCpus,
    absent: '1',
    summary: 'CPUs, decimals allowed; the VM gets the next whole number of virtual CPUs',
  },
  entrypoint: {
    kind: 'value',
    placeholder: 'PROGRAM',
    parse: text,
    absent: "the image's",
    summary: "program that the command is an argument of; '' takes the image's away",
  },
  hostname: { kind: 'value', char: 'h', placeholder: 'NAME', parse: nonEmpty, summary: 'host name of the box' },
  label: { kind: 'list', char: 'l', placeholder: 'NAME[=VALUE]', parse: parseLabel, summary: 'put a label on the box' },
  'log-driver': {
    kind: 'value',
    placeholder: 'DRIVER',
    parse: nonEmpty,
    absent: 'json-file',
    summary: 'how what it writes is kept: json-file, or none',
  },
  'log-opt': {
    kind: 'list',
    placeholder: 'NAME=VALUE',
    parse: parseLogOption,
    summary: 'max-size and max-file of its log; labels and env to show with logs --details',
  },
  memory: {
    kind: 'value',
    char: 'm',
    placeholder: 'SIZE',
    parse: parseSize,
    absent: '512m',
    summary: 'memory of the VM: a number with b, k, m or g',
  },
  name: { kind: 'value', placeholder: 'NAME', parse: nonEmpty, absent: 'made up', summary: 'name of the box' },
  network: {
    kind: 'list',
    aliases: ['net'],
    placeholder: 'NAME',
    parse: parseNetwork,
    absent: "the distribution's",
    summary: "network to join; 'none' has no way out",
  },
  platform: {
    kind: 'value',
    placeholder: 'PLATFORM',
    parse: nonEmpty,
    absent: "linux on this host's architecture",
    summary: 'what the image has to be for, for example linux/arm64; the processor of another host is emulated',
  },
  publish: {
    kind: 'list',
    char: 'p',
    placeholder: '[IP:][HOST]:GUEST[/PROTOCOL]',
    parse: parsePublishedPort,
    summary:
      'listen on a port of the host and pass it on to one of the box; IPv6 addresses in brackets, without IP on 0.0.0.0, ' +
      'GUEST alone on a port that is free',
  },
  rm: { kind: 'boolean', summary: 'remove the box when it has ended' },
  restart: {
    kind: 'value',
    placeholder: 'POLICY',
    parse: parseRestartPolicy,
    absent: 'no',
    summary: 'start it again when it has ended: no, on-failure[:TIMES], always or unless-stopped',
  },
  'stop-signal': {
    kind: 'value',
    placeholder: 'SIGNAL',
    parse: nonEmpty,
    absent: "the image's, else SIGTERM",
    summary: 'signal that stops the workload',
  },
  timeout: {
    kind: 'value',
    placeholder: 'TIME',
    parse: parseDuration,
    summary: 'end the box after this time (90, 90s, 1m30s) with exit status 124',
  },
} as const;
