import type { Instruction } from '../dockerfile/instruction.js';
import { allInstructions, type Finding, type Rule } from './rule.js';

/** Rules about how something is written. */
export const STYLE_RULES: readonly Rule[] = [
  {
    name: 'ConsistentInstructionCasing',
    find(dockerfile) {
      const instructions = allInstructions(dockerfile);
      const lower = instructions.filter((it) => keyword(it) === keyword(it).toLowerCase()).length;
      const wanted = (text: string): string =>
        lower * 2 > instructions.length ? text.toLowerCase() : text.toUpperCase();
      return instructions
        .filter((it) => keyword(it) !== wanted(keyword(it)))
        .map((it) => at(it, `${keyword(it)} is written in another case than most; write ${wanted(keyword(it))}`));
    },
  },
  {
    name: 'FromAsCasing',
    find: ({ stages }) =>
      stages.flatMap(({ from }) => {
        const as = /\s(as)\s+\S+$/i.exec(from.source)?.[1];
        if (as === undefined || isUpper(as) === isUpper(keyword(from))) return [];
        return [at(from, `${as} is written in another case than ${keyword(from)}`)];
      }),
  },
  {
    name: 'StageNameCasing',
    find: ({ stages }) =>
      stages.flatMap(({ from }) => {
        const written = from.name === undefined ? '' : from.source.slice(-from.name.length);
        if (written === written.toLowerCase()) return [];
        return [at(from, `stages are told apart without their case; write ${written.toLowerCase()}`)];
      }),
  },
  {
    name: 'LegacyKeyValueFormat',
    find: (dockerfile) =>
      allInstructions(dockerfile).flatMap((it) => {
        if (it.kind !== 'env' && it.kind !== 'label') return [];
        const [pair] = it.pairs;
        if (pair === undefined || it.source.includes(`${pair.key.source}=`)) return [];
        return [at(it, `${keyword(it)} with a blank is the old form; write ${pair.key.source}=...`)];
      }),
  },
  {
    name: 'MaintainerDeprecated',
    find: (dockerfile) =>
      allInstructions(dockerfile)
        .filter(({ kind }) => kind === 'maintainer')
        .map((it) => at(it, 'MAINTAINER is out of use; write LABEL org.opencontainers.image.authors=...')),
  },
  {
    name: 'JSONArgsRecommended',
    find: (dockerfile) =>
      dockerfile.stages.flatMap(({ instructions }) => {
        // A shell that the file chose is meant to be used.
        if (instructions.some(({ kind }) => kind === 'shell')) return [];
        return instructions.flatMap((it) => {
          if (it.kind !== 'cmd' && it.kind !== 'entrypoint') return [];
          if (it.command.form === 'exec' || it.command.line === '') return [];
          return [at(it, `a shell stands between this program and signals; write ${keyword(it)} as a JSON list`)];
        });
      }),
  },
  {
    name: 'ExposeProtoCasing',
    find: (dockerfile) =>
      allInstructions(dockerfile).flatMap((it) => {
        if (it.kind !== 'expose') return [];
        return it.values.flatMap(({ source, place }) => {
          const protocol = /\/([a-z]+)$/i.exec(source)?.[1] ?? '';
          if (protocol === protocol.toLowerCase()) return [];
          return [{ place, message: `protocols are written in small letters: ${source.toLowerCase()}` }];
        });
      }),
  },
];

function keyword({ source }: Instruction): string {
  return /^\S*/.exec(source)?.[0] ?? '';
}

function isUpper(text: string): boolean {
  return text === text.toUpperCase();
}

function at({ place }: Instruction, message: string): Finding {
  return { place, message };
}
