import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BoxError, hostPlatform } from '@a3s-box/core';
import { wordsOf } from './command-aliases.js';
import { COMMANDS } from './commands.js';
import type { Command } from './command.js';
import { parseFlags } from './grammar/parse-flags.js';
import type { Invocation } from './invocation.js';
import { printError } from './print-error.js';
import { Timeline } from './timeline.js';

/** What the entry knows. */
export interface Surroundings {
  readonly version: string;
  /** The supervisor's entry, and the directory of oclif's entry to the commands. */
  readonly supervisorEntry: URL;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Runs a command line. @returns its exit status; every error is printed */
export async function runCli(given: readonly string[], surroundings: Surroundings): Promise<number> {
  const argv = wordsOf(given);
  const timeline = new Timeline();
  const { environment } = surroundings;
  const debug = Boolean(environment['A3S_BOX_DEBUG']);
  const command = commandOf(argv);
  const rest = argv.slice(command === undefined ? 1 : command.name.split(' ').length);
  try {
    if (command === undefined) return await runOclif(argv, surroundings);
    const { flags, args, help } = parseFlags(command, rest);
    if (help) return await runOclif([...command.name.split(' '), '--help'], surroundings);
    checkCount(command, args);
    const action = await timeline.measure('load', command.load);
    return await action({ flags, args }, invocationOf(surroundings, timeline));
  } catch (error) {
    const json = command !== undefined && 'json' in command.flags && rest.includes('--json');
    return printError(error, { json, debug });
  }
}

/** The command whose name, of one word or two, an argument vector starts with. */
function commandOf([first = '', second = '']: readonly string[]): Command | undefined {
  return COMMANDS.find(({ name }) => name === first || name === `${first} ${second}`);
}

/** Help, commands of plugins, and commands that nobody knows. */
async function runOclif(argv: readonly string[], surroundings: Surroundings): Promise<number> {
  const { runThroughOclif } = await import('./oclif/host.js');
  return runThroughOclif(argv, surroundings);
}

/** Left to itself, Node's heap for young objects grows to a third of a supervisor's memory, for nothing that it does. */
const SUPERVISOR_NODE_OPTIONS = ['--max-semi-space-size=2'];

function invocationOf({ version, supervisorEntry, environment }: Surroundings, timeline: Timeline): Invocation {
  const home = resolve(
    environment['A3S_BOX_HOME'] || hostPlatform().defaultHome({ environment, userDirectory: homedir() }),
  );
  // For development and tests: another program in the place of the supervisor.
  const entry = environment['A3S_BOX_SUPERVISOR'] || fileURLToPath(supervisorEntry);
  const command = [process.execPath, ...SUPERVISOR_NODE_OPTIONS, entry, '--home', home, '--ready-descriptor', '3'];
  const file = environment['A3S_BOX_DISTRIBUTION'];
  const distribution = file ? resolve(file) : undefined;
  return {
    version,
    home,
    supervisor:
      distribution === undefined
        ? { command }
        : { command: [...command, '--distribution', distribution], distribution },
    environment,
    timeline,
    commands: COMMANDS,
  };
}

function checkCount({ name, minArgs, maxArgs }: Command, args: readonly string[]): void {
  if (args.length >= minArgs && args.length <= maxArgs) return;
  throw new BoxError('INVALID_ARGUMENT', `'a3s-box ${name}' ${countText(minArgs, maxArgs)}`, {
    hint: `run 'a3s-box ${name} --help' for more information`,
  });
}

function countText(least: number, most: number): string {
  const amount = (count: number): string => `${count} argument${count === 1 ? '' : 's'}`;
  if (most === 0) return 'accepts no arguments';
  if (least === most) return `requires ${amount(least)}`;
  if (most === Infinity) return `requires at least ${amount(least)}`;
  return least === 0 ? `accepts at most ${amount(most)}` : `requires at least ${least} and at most ${amount(most)}`;
}
