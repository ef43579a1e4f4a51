/** Text of docs/flags.md: every flag of `docker run` and `docker create` with what it is here and in Podman. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { COMMANDS } from '../dist/commands.js';
import type { Flag } from '../dist/grammar/flag.js';
import { unsupportedFlag } from '../dist/unsupported.js';

const DATA = join(import.meta.dirname, 'data');
export const FLAG_PAGE_FILE = join(import.meta.dirname, '../../docs/flags.md');

interface DockerFlags {
  readonly source: string;
  readonly run: readonly string[];
  readonly create: readonly string[];
}

function read<T>(name: string): T {
  return JSON.parse(readFileSync(join(DATA, name), 'utf8')) as T;
}

/** Long names, without dashes. */
export const DOCKER_FLAGS = read<DockerFlags>('docker-28.2.json');
/** Of Docker's, those that `podman run` has as well. */
const PODMAN_FLAGS = read<{ readonly run: readonly string[] }>('podman-5.json');

/** Where a supported flag is not quite Docker's. */
const DIFFERENCES: Readonly<Record<string, string>> = {
  'add-host': '`host-gateway` is refused: a box does not reach its host by an address of its own',
  'cpu-quota': "the VM gets as many virtual CPUs as the quota takes, and the guest's kernel keeps to it",
  'cpu-shares': "weighs the workload against the guest's agent, not boxes against each other",
  cpus: 'the VM gets the next whole number of virtual CPUs',
  'cpuset-cpus': "counts the box's own virtual CPUs, not the host's",
  'cpuset-mems': 'a VM has one node, 0',
  init: "the init is the guest's own, never a file of the image",
  memory: 'is the memory of the VM; 512 MiB without it',
  'memory-swap': 'a VM has no swap: the value of `--memory` is taken, all others are refused',
  mount: 'types tmpfs, bind and volume',
  network: 'one network',
  platform: 'another processor than the host’s is emulated',
  privileged: 'everything of the VM, nothing of the host; device nodes have to be made (mknod)',
  pull: 'a registry on loopback may speak http',
  'security-opt': 'no-new-privileges, seccomp and systempaths; others are refused by name',
  'stop-timeout': '-1 for as long as it takes',
  sysctl: "`net.*` are those of the VM, the others of the container's IPC namespace",
};

const INTRODUCTION = `# Flags of Docker and Podman

<!-- Written by cli/scripts/generate-reference.ts from the definitions in cli/src. Do not edit. -->

Every flag of \`docker run\` and \`docker create\` (28.2), whether \`podman run\` (5) has it, and what \`a3s-box run\` and
\`a3s-box create\` make of it. A flag that is refused is refused by name, with the reason and before anything is done: nothing is
accepted and then ignored. Tests walk this list; another requires of every flag of the command line a test that observes what it does.
The [reference](cli-reference.md) has the flags that Docker has not.`;

/** @returns undefined where it is neither supported nor refused */
export function verdict(
  command: 'run' | 'create',
  name: string,
): { readonly flag: Flag } | { readonly reason: string } | undefined {
  const flag = COMMANDS.find((known) => known.name === command)?.flags[name];
  if (flag) return { flag };
  const refused = unsupportedFlag(command, `--${name}`);
  return refused && { reason: refused.reason };
}

export async function flagPage(): Promise<string> {
  const rows = DOCKER_FLAGS.run.map((name) => {
    const found = verdict('run', name);
    const podman = PODMAN_FLAGS.run.includes(name) ? 'yes' : 'no';
    const here =
      found === undefined
        ? '?'
        : 'flag' in found
          ? `yes: ${DIFFERENCES[name] ?? found.flag.summary}`
          : `refused: ${found.reason}`;
    const both = DOCKER_FLAGS.create.includes(name) ? '' : ' (run only)';
    return `| \`--${name}\`${both} | yes | ${podman} | ${here.replaceAll('|', '\\|')} |`;
  });
  const table = ['| Flag | Docker 28.2 | Podman 5 | A3S Box |', '| --- | --- | --- | --- |', ...rows].join('\n');
  const options = await resolveConfig(FLAG_PAGE_FILE);
  return await format(`${INTRODUCTION}\n\n${table}\n`, { ...options, filepath: FLAG_PAGE_FILE });
}
