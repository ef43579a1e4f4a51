import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { BoxError } from '../errors/box-error.js';
import type { Autostart } from '../platform/autostart.js';
import { hostPlatform } from '../platform/host-platform.js';
import type { SupervisorCommand } from './supervisor-launch.js';

/** Whose supervisor is started with the machine. */
export interface AutostartOptions {
  /** Absolute path of the home. Made, with mode 0700. */
  readonly home: string;
  readonly supervisor: SupervisorCommand;
  /** Of the user, whose service manager it is. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * Has the user's service manager start a home's supervisor with the machine, and now. Boxes that are to come back come with it.
 * @returns what was written where
 * @throws UNSUPPORTED where there is no such manager; nothing is left then
 */
export async function installAutostart(options: AutostartOptions): Promise<Autostart> {
  const autostart = autostartOf(options);
  await mkdir(options.home, { recursive: true, mode: 0o700 });
  await mkdir(dirname(autostart.file), { recursive: true });
  await writeFile(autostart.file, autostart.content);
  try {
    for (const command of autostart.enable) await run(command);
  } catch (error) {
    // Half of it would be a surprise at the next start of the machine.
    await rm(autostart.file, { force: true });
    throw error;
  }
  return autostart;
}

/**
 * Takes back what {@link installAutostart} did. A supervisor that runs goes on.
 * @throws NOT_FOUND where nothing was installed for this home, UNSUPPORTED
 */
export async function uninstallAutostart(options: AutostartOptions): Promise<Autostart> {
  const autostart = autostartOf(options);
  if (!existsSync(autostart.file))
    throw new BoxError('NOT_FOUND', `${autostart.file} is not there: nothing was installed for this home`);
  for (const command of autostart.disable) await run(command);
  await rm(autostart.file, { force: true });
  for (const command of autostart.afterRemoval) await run(command);
  return autostart;
}

function autostartOf({ home, supervisor, environment }: AutostartOptions): Autostart {
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
