import type { Instruction, Stage } from '../dockerfile/instruction.js';
import { allInstructions, type Finding, type Rule } from './rule.js';

const RESERVED = new Set(['scratch', 'context']);
const ONCE = new Set<Instruction['kind']>(['cmd', 'entrypoint', 'healthcheck']);
const SENSITIVE = /(^|_)(apikey|auth|credentials?|git_token|key|passwd|password|pswd|secret|token)($|_)/i;
const HARMLESS = /(^|_)(public|pub)($|_)|(^|_)(file|path|url|id|name)$/i;

/** Rules about stages, and about what their instructions do to one another. */
export const STAGE_RULES: readonly Rule[] = [
  {
    name: 'DuplicateStageName',
    find: ({ stages }) =>
      stages.flatMap(({ from }, index) => {
        const twice = from.name !== undefined && stages.slice(0, index).some((it) => it.from.name === from.name);
        return twice ? [{ place: from.place, message: `there is another stage ${from.name} before` }] : [];
      }),
  },
  {
    name: 'ReservedStageName',
    find: ({ stages }) =>
      stages
        .filter(({ from }) => RESERVED.has(from.name ?? ''))
        .map(({ from }) => ({ place: from.place, message: `${from.name} means something else; give another name` })),
  },
  {
    name: 'FromPlatformFlagConstDisallowed',
    find: ({ stages }) =>
      stages.flatMap(({ from: { platform, name } }) => {
        if (platform?.parts.some((part) => typeof part !== 'string') !== false) return [];
        // A stage's name may say for which platform it is.
        if (name !== undefined && platform.source.split(/[/:]/).some((part) => part !== '' && name.includes(part)))
          return [];
        return [{ place: platform.place, message: `a stage for ${platform.source} alone; leave it to --platform` }];
      }),
  },
  {
    name: 'RedundantTargetPlatform',
    find: ({ stages }) =>
      stages.flatMap(({ from: { platform } }) => {
        if (platform === undefined || !/^\$(TARGETPLATFORM|\{TARGETPLATFORM\})$/.test(platform.source)) return [];
        return [{ place: platform.place, message: 'the target platform is the default; leave it away' }];
      }),
  },
  {
    name: 'MultipleInstructionsDisallowed',
    find: ({ stages }) => stages.flatMap(({ instructions }) => repeated(instructions)),
  },
  {
    name: 'WorkdirRelativePath',
    find: ({ stages }) => stages.flatMap(relativeWorkdirs),
  },
  {
    name: 'SecretsUsedInArgOrEnv',
    find: (dockerfile) =>
      allInstructions(dockerfile).flatMap((it) => {
        if (it.kind === 'arg') return it.names.flatMap(({ name, place }) => sensitive(name, place));
        return it.kind === 'env' ? it.pairs.flatMap(({ key }) => sensitive(key.source, key.place)) : [];
      }),
  },
];

function repeated(instructions: readonly Instruction[]): Finding[] {
  return instructions.flatMap((it, index) => {
    if (!ONCE.has(it.kind) || !instructions.slice(index + 1).some(({ kind }) => kind === it.kind)) return [];
    return [{ place: it.place, message: `only the last ${it.kind.toUpperCase()} of a stage counts` }];
  });
}

/** What an unknown directory is made relative to depends on the base image. */
function relativeWorkdirs({ instructions }: Stage): Finding[] {
  const workdirs = instructions.flatMap((it) => (it.kind === 'workdir' ? [it] : []));
  const anchor = workdirs.findIndex(({ value }) => /^["'/$]/.test(value.source));
  return workdirs.slice(0, anchor < 0 ? undefined : anchor).map(({ place, value }) => {
    return { place, message: `${value.source} lies in whatever directory the base image has; begin with a slash` };
  });
}

function sensitive(name: string, place: Finding['place']): Finding[] {
  if (!SENSITIVE.test(name) || HARMLESS.test(name)) return [];
  return [{ place, message: `${name} can be read from the image by everybody; give it with RUN --mount=type=secret` }];
}
