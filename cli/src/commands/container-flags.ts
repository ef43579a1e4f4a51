/** Flags of `create` and `run` that confine, limit and set up a box's container. */
import {
  parseAnnotation,
  parseAssignment,
  parseHostEntry,
  parsePullPolicy,
  parseSizeOrNone,
  parseTmpfs,
  parseUlimit,
  parseWhole,
} from '../grammar/container-values.js';
import { text } from '../grammar/flag.js';
import { parseMount } from '../grammar/mount.js';
import { nonEmpty, parseSeconds, parseSize } from '../grammar/values.js';

const confinementFlags = {
  'cap-add': {
    kind: 'list',
    placeholder: 'CAPABILITY',
    parse: nonEmpty,
    summary: 'give a capability beyond the usual ones; ALL for all',
  },
  'cap-drop': {
    kind: 'list',
    placeholder: 'CAPABILITY',
    parse: nonEmpty,
    summary: 'take a capability away; ALL for all',
  },
  'group-add': {
    kind: 'list',
    placeholder: 'GROUP',
    parse: nonEmpty,
    summary: 'one more group of the user, by name or number',
  },
  privileged: { kind: 'boolean', summary: 'all capabilities, system calls and devices of the VM' },
  'read-only': { kind: 'boolean', summary: 'mount the root file system read-only' },
  'security-opt': {
    kind: 'list',
    placeholder: 'OPTION',
    parse: nonEmpty,
    summary: 'no-new-privileges, seccomp=default, seccomp=unconfined, seccomp=FILE or systempaths=unconfined',
  },
} as const;

/** Limits that a control group keeps. */
export const resourceFlags = {
  'cpu-period': {
    kind: 'value',
    placeholder: 'MICROSECONDS',
    parse: parseWhole,
    absent: '100000',
    summary: 'period of --cpu-quota',
  },
  'cpu-quota': {
    kind: 'value',
    placeholder: 'MICROSECONDS',
    parse: parseWhole,
    summary: 'CPU time in each period; the VM gets as many virtual CPUs as it takes',
  },
  'cpu-shares': {
    kind: 'value',
    char: 'c',
    placeholder: 'WEIGHT',
    parse: parseWhole,
    absent: '1024',
    summary: 'weight against what else runs in the VM; boxes are not weighed against each other',
  },
  'cpuset-cpus': {
    kind: 'value',
    placeholder: 'LIST',
    parse: nonEmpty,
    summary: "the box's virtual CPUs to run on, such as 0-1,3",
  },
  'cpuset-mems': {
    kind: 'value',
    placeholder: 'LIST',
    parse: nonEmpty,
    summary: "the box's memory nodes to use; a VM has one, 0",
  },
  'memory-reservation': {
    kind: 'value',
    placeholder: 'SIZE',
    parse: parseSize,
    summary: "memory that the VM's kernel takes from the workload last",
  },
  'memory-swap': {
    kind: 'value',
    placeholder: 'SIZE',
    parse: parseSizeOrNone,
    summary: 'limit of memory and swap together; a VM has no swap, so it is the value of --memory',
  },
  'pids-limit': {
    kind: 'value',
    placeholder: 'NUMBER',
    parse: parseWhole,
    summary: 'most processes and threads; -1 for no limit',
  },
} as const;

const limitFlags = {
  'oom-score-adj': {
    kind: 'value',
    placeholder: 'NUMBER',
    parse: parseWhole,
    absent: '0',
    summary: 'how readily the workload is killed for lack of memory, -1000 to 1000',
  },
  'shm-size': { kind: 'value', placeholder: 'SIZE', parse: parseSize, absent: '64m', summary: 'size of /dev/shm' },
  ulimit: {
    kind: 'list',
    placeholder: 'NAME=SOFT[:HARD]',
    parse: parseUlimit,
    summary: 'a resource limit, such as nofile=1024:4096; -1 for unlimited',
  },
} as const;

const setUpFlags = {
  'add-host': {
    kind: 'list',
    placeholder: 'NAME:ADDRESS',
    parse: parseHostEntry,
    summary: 'one more line of /etc/hosts',
  },
  annotation: {
    kind: 'list',
    placeholder: 'NAME=VALUE',
    parse: parseAnnotation,
    summary: "put an annotation into the container's runtime configuration",
  },
  dns: {
    kind: 'list',
    placeholder: 'ADDRESS',
    parse: nonEmpty,
    absent: "the network's",
    summary: 'name server to ask',
  },
  'dns-option': {
    kind: 'list',
    aliases: ['dns-opt'],
    placeholder: 'OPTION',
    parse: nonEmpty,
    summary: 'option of resolv.conf',
  },
  'dns-search': { kind: 'list', placeholder: 'DOMAIN', parse: nonEmpty, summary: "search domain; '.' for none" },
  domainname: { kind: 'value', placeholder: 'NAME', parse: nonEmpty, summary: 'domain name of the box' },
  init: { kind: 'boolean', summary: 'run the command below an init that reaps orphans and passes signals on' },
  'label-file': {
    kind: 'list',
    placeholder: 'FILE',
    parse: nonEmpty,
    summary: 'put the labels of a file on the box, one NAME=VALUE a line',
  },
  mount: {
    kind: 'list',
    placeholder: 'type=TYPE,KEY=VALUE,...',
    parse: parseMount,
    summary:
      'mount something: type is bind, volume or tmpfs, with source, target, readonly, tmpfs-size, tmpfs-mode; a bind whose source ' +
      'is not there is refused',
  },
  'stop-timeout': {
    kind: 'value',
    placeholder: 'SECONDS',
    parse: parseSeconds,
    absent: '10',
    summary: "time that 'stop' gives the workload; -1: as long as it takes",
  },
  sysctl: {
    kind: 'list',
    placeholder: 'NAME=VALUE',
    parse: parseAssignment,
    summary: 'set a kernel parameter of the box',
  },
  tmpfs: {
    kind: 'list',
    placeholder: 'DIRECTORY[:OPTIONS]',
    parse: parseTmpfs,
    summary: 'mount a file system in memory; options such as size=64m,mode=1770,exec',
  },
} as const;

const imageFlags = {
  cidfile: {
    kind: 'value',
    placeholder: 'FILE',
    parse: text,
    summary: "write the box's id to a file, which must not be there",
  },
  pull: {
    kind: 'value',
    placeholder: 'WHEN',
    parse: parsePullPolicy,
    absent: 'missing',
    summary: 'fetch the image from its registry first: always, missing or never',
  },
  quiet: { kind: 'boolean', char: 'q', summary: 'print no progress of fetching the image' },
} as const;

export const containerFlags = {
  ...confinementFlags,
  ...resourceFlags,
  ...limitFlags,
  ...setUpFlags,
  ...imageFlags,
} as const;
