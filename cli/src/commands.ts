import type { Command } from './command.js';
import { exec } from './commands/exec.js';
import { imageInspect } from './commands/image-inspect.js';
import { images } from './commands/images.js';
import { importCommand } from './commands/import.js';
import { info } from './commands/info.js';
import { load } from './commands/load.js';
import { pull } from './commands/pull.js';
import { rmi } from './commands/rmi.js';
import { run } from './commands/run.js';
import { save } from './commands/save.js';
import { tag } from './commands/tag.js';
import { version } from './commands/version.js';

/** The CLI's own commands; plugins bring others. Actions take the flags of their own definition. */
export const COMMANDS = [
  run,
  exec,
  images,
  pull,
  load,
  importCommand,
  save,
  tag,
  rmi,
  imageInspect,
  info,
  version,
] as unknown as readonly Command[];
