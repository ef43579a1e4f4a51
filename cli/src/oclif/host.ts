import { fileURLToPath } from 'node:url';
import { BoxError } from '@a3s-box/core';
import { Config, run, type Interfaces } from '@oclif/core';
import type { Surroundings } from '../cli.js';

const HELP = new Set(['help', '--help', '-h']);

/** Prints help and runs what is not the CLI's own. @throws INVALID_ARGUMENT for a command that nobody knows */
export async function runThroughOclif(argv: readonly string[], { version }: Surroundings): Promise<number> {
  const config = await Config.load({
    root: fileURLToPath(new URL('.', import.meta.url)),
    pjson: packageOf(version),
  });
  const words = argv.filter((word) => !HELP.has(word));
  const [first = '', second = ''] = words;
  const isTopic = words.length === 1 && config.findTopic(first) !== undefined;
  const isCommand = [first, `${first}:${second}`].some((id) => config.findCommand(id) !== undefined);
  if (words.length > 0 && !isTopic && !isCommand) {
    const name = config.findTopic(first) ? `${first} ${second}` : first;
    throw new BoxError('INVALID_ARGUMENT', `unknown command: a3s-box ${name}`, {
      hint: "run 'a3s-box --help' for the commands there are",
    });
  }
  await run(words.length < argv.length || words.length === 0 ? [...words, '--help'] : [...argv], config);
  return 0;
}

function packageOf(version: string): Interfaces.PJSON {
  return {
    name: 'a3s-box',
    version,
    type: 'module',
    description: 'Runs Linux OCI images, each in a microVM of its own.',
    oclif: {
      bin: 'a3s-box',
      commands: { strategy: 'explicit', target: './command-classes.js', identifier: 'COMMAND_CLASSES' },
      topicSeparator: ' ',
      topics: {
        container: { description: 'Boxes, by the name that Docker has for them' },
        image: { description: 'Look at one image' },
        snapshot: { description: 'Boxes as they were at a moment: settings and file system' },
        system: { description: 'What there is on the disk, and the start with the machine' },
        template: { description: 'Booted guests that boxes are cloned from' },
        volume: { description: 'Directories and disks that outlive boxes' },
      },
    },
  } as unknown as Interfaces.PJSON;
}
