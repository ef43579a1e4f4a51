import { asBoxError } from '@a3s-box/core';
import { BoxClient, type TemplateRecord } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { templateCreateFlags, templateListFlags, templatePruneFlags } from '../commands/template.js';
import { ListFormat, type Row } from '../format/list-format.js';
import type { Invocation } from '../invocation.js';
import { printError } from '../print-error.js';
import { humanDuration } from '../views/human-duration.js';
import { chosenBackend, onlyNetwork } from './box-spec.js';
import { humanSize } from '../views/human-size.js';
import { checkOneFormat } from './one-format.js';

const KEY_LENGTH = 12;
const MIB = 1024 * 1024;
const COLUMNS = '{{.Key}}\t{{.Backend}}\t{{.CPUs}}\t{{.Memory}}\t{{.Network}}\t{{.Created}}\t{{.Used}}\t{{.Size}}';
const HEADERS: Row = {
  Key: 'KEY',
  Backend: 'BACKEND',
  CPUs: 'CPUS',
  Memory: 'MEMORY',
  Network: 'NETWORK',
  Created: 'CREATED',
  Used: 'USED',
  Size: 'SIZE',
};

/** `template create`. */
export async function createTemplate(
  { flags }: Input<typeof templateCreateFlags>,
  invocation: Invocation,
): Promise<number> {
  const { cpus, memory } = flags;
  const backend = chosenBackend(flags.backend, invocation.environment);
  const network = onlyNetwork(flags.network);
  using client = await BoxClient.connect(invocation);
  const key = await client.templates.create({
    ...(cpus !== undefined && { nanoCpus: cpus }),
    ...(memory !== undefined && { memoryBytes: memory }),
    ...(network !== undefined && { network }),
    ...(backend !== undefined && { backend }),
  });
  process.stdout.write(`${key}\n`);
  return 0;
}

/** `template ls`. */
export async function listTemplates(
  { flags }: Input<typeof templateListFlags>,
  invocation: Invocation,
): Promise<number> {
  checkOneFormat(flags);
  const format = new ListFormat(flags.format ?? '', { columns: COLUMNS, headers: HEADERS });
  using client = await BoxClient.connect(invocation);
  const templates = await client.templates.list();
  const now = new Date();
  process.stdout.write(
    flags.json
      ? `${JSON.stringify(templates, null, 2)}\n`
      : format.print(templates.map((template) => templateRow(template, now))),
  );
  return 0;
}

/** `template rm`: removes what it can and tells of the rest. */
export async function removeTemplates({ args }: Input<Record<never, never>>, invocation: Invocation): Promise<number> {
  using client = await BoxClient.connect(invocation);
  let status = 0;
  for (const template of args) {
    try {
      process.stdout.write(`${await client.templates.remove(template)}\n`);
    } catch (error) {
      status = printError(asBoxError(error), { json: false, debug: false });
    }
  }
  return status;
}

/** `template prune`. */
export async function pruneTemplates(
  { flags }: Input<typeof templatePruneFlags>,
  invocation: Invocation,
): Promise<number> {
  using client = await BoxClient.connect(invocation);
  const removed = await client.templates.prune(flags.keep ?? 0);
  for (const { key } of removed) process.stdout.write(`${key}\n`);
  const freed = removed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  process.stdout.write(`Total reclaimed space: ${humanSize(freed)}\n`);
  return 0;
}

/** A line of `template ls`. */
export function templateRow(template: TemplateRecord, now: Date): Row {
  const { key, shape, created, used, sizeBytes } = template;
  return {
    Key: key.slice(0, KEY_LENGTH),
    Backend: shape?.backend ?? '<damaged>',
    CPUs: shape ? String(shape.vcpus) : '',
    Memory: shape ? `${shape.memoryBytes / MIB}MiB` : '',
    Network: shape ? (shape.network ? 'yes' : 'no') : '',
    Created: created ? `${humanDuration(created, now)} ago` : '',
    Used: `${humanDuration(used, now)} ago`,
    Size: humanSize(sizeBytes),
  };
}
