import type { Instruction, Word } from './instruction.js';

/** The words of an instruction in which the builder, not the shell, puts variables in. */
export function wordsOf(instruction: Instruction): Word[] {
  switch (instruction.kind) {
    case 'from':
      return present(instruction.image, instruction.platform);
    case 'arg':
      return present(...instruction.names.map(({ value }) => value));
    case 'run':
      return instruction.mounts.flatMap(({ options }) => [...options.values()]);
    case 'copy':
    case 'add': {
      const { sources, target, owner, mode, exclude } = instruction;
      const from = instruction.kind === 'copy' ? instruction.from : instruction.checksum;
      return [...sources, ...exclude, ...present(target, owner, mode, from)];
    }
    case 'env':
    case 'label':
      return instruction.pairs.flatMap(({ key, value }) => [key, value]);
    case 'workdir':
    case 'user':
    case 'stopsignal':
      return [instruction.value];
    case 'expose':
    case 'volume':
      return [...instruction.values];
    case 'healthcheck':
      return present(...Object.values(instruction.options));
    default:
      return [];
  }
}

function present(...words: readonly (Word | undefined)[]): Word[] {
  return words.filter((word) => word !== undefined);
}
