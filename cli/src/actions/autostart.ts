/** `system install` and `system uninstall`. */
import { execFile } from 'node:child_process';
import { access, mkdir, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { BoxError, hostPlatform, type Autostart } from '@a3s-box/core';
import type { Input } from '../command.js';
import type { Invocation } from '../invocation.js';

type None = Record<never, never>;

export async function installAutostart(_: Input<None>, invocation: Invocation): Promise<number> {
  const autostart = autostartOf(invocation);
  await mkdir(invocation.home, { recursive: true, mode: 0o700 });
  await mkdir(dirname(autostart.file), { recursive: true });
  await writeFile(autostart.file, autostart.content);
  try {
    for (const command of autostart.enable) await run(command);
  } catch (error) {
    // Half of it would be a surprise at the next start of the machine.
    await rm(autostart.file, { force: true });
    throw error;
  }
  process.stdout.write(`${autostart.file}\n`);
  process.stderr.write(`a3s-box: ${autostart.note}\n`);
  return 0;
}

export async function uninstallAutostart(_: Input<None>, invocation: Invocation): Promise<number> {
  const autostart = autostartOf(invocation);
  const missing = await access(autostart.file).then(
    () => false,
    () => true,
  );
  if (missing) throw new BoxError('NOT_FOUND', `${autostart.file} is not there: nothing was installed for this home`);
  for (const command of autostart.disable) await run(command);
  await rm(autostart.file, { force: true });
  for (const command of autostart.afterRemoval) await run(command);
  process.stdout.write(`${autostart.file}\n`);
  return 0;
}

function autostartOf({ home, supervisor, environment }: Invocation): Autostart {
  const platform = hostPlatform();
  const surroundings = { environment, userDirectory: homedir() };
  const autostart = platform.autostart({
    ...surroundings,
    home,
    isDefault: home === platform.defaultHome(surroundings),
    // It tells nobody that it is ready: nobody waits for that.
    command: withoutReport(supervisor.command),
  });
  if (autostart) return autostart;
  throw new BoxError('UNSUPPORTED', `starting with the machine is not built for ${platform.name}`, {
    hint: "start a box with the system's own means: any a3s-box command starts the supervisor",
  });
}

function withoutReport(command: readonly string[]): string[] {
  const at = command.indexOf('--ready-descriptor');
  return command.filter((_, index) => at < 0 || (index !== at && index !== at + 1));
}

async function run([program = '', ...args]: readonly string[]): Promise<void> {
  try {
    await promisify(execFile)(program, args);
  } catch (cause) {
    const { stderr, message } = cause as { stderr?: string; message: string };
    throw new BoxError('UNSUPPORTED', `${[program, ...args].join(' ')} failed: ${(stderr || message).trim()}`, {
      hint: "it needs the service manager of this user; without one, have a3s-box run at the machine's start by other means",
      cause,
    });
  }
}
