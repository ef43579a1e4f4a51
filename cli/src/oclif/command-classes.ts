import { COMMANDS } from '../commands.js';
import { commandClass } from './command-class.js';

/** What oclif finds the CLI's own commands by. */
export const COMMAND_CLASSES = Object.fromEntries(
  COMMANDS.map((command) => [command.name.replace(' ', ':'), commandClass(command)]),
);
