import type { Command } from './command.js';
import { exec } from './commands/exec.js';
import { images } from './commands/images.js';
import { info } from './commands/info.js';
import { run } from './commands/run.js';
import { version } from './commands/version.js';

/** The CLI's own commands; plugins bring others. Actions take the flags of their own definition. */
export const COMMANDS = [run, exec, images, info, version] as unknown as readonly Command[];
