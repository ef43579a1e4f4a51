import { PLATFORM_ARGUMENTS, PROXY_ARGUMENTS } from '../dockerfile/predefined.js';
import type { Instruction, Word } from '../dockerfile/instruction.js';
import { expand, type Lookup } from '../dockerfile/template.js';

/** A platform's parts, as the predefined arguments name them. */
export interface PlatformNames {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** What a build was given. */
export interface GivenArguments {
  readonly arguments: Readonly<Record<string, string>>;
  readonly build: PlatformNames;
  readonly target: PlatformNames;
}

/** Values of the arguments that platforms give. */
export function platformArguments({ build, target }: GivenArguments): Readonly<Record<string, string>> {
  return { ...named('BUILD', build), ...named('TARGET', target) };
}

function named(prefix: string, { os, architecture, variant = '' }: PlatformNames): Record<string, string> {
  const platform = variant === '' ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
  return {
    [`${prefix}PLATFORM`]: platform,
    [`${prefix}OS`]: os,
    [`${prefix}ARCH`]: architecture,
    [`${prefix}VARIANT`]: variant,
  };
}

/**
 * The arguments that are known at a place of a Dockerfile. A name counts from the ARG that declares it on; its value is the
 * one that was given, else the default there, else that of the lines before the first FROM.
 */
export class ArgumentScope {
  private readonly values = new Map<string, string | undefined>();

  /** @param outer the scope of the lines before the first FROM; absent: this is that scope */
  constructor(
    private readonly given: GivenArguments,
    private readonly outer?: ArgumentScope,
  ) {
    if (outer !== undefined) return;
    for (const [name, value] of Object.entries(platformArguments(given))) this.values.set(name, value);
  }

  /** Declares what an ARG names. @param lookup of the place, for the defaults */
  declare({ names }: Extract<Instruction, { kind: 'arg' }>, lookup: Lookup): void {
    for (const { name, value } of names) this.values.set(name, this.valueOf(name, value, lookup));
  }

  /** @returns undefined for a name that is not declared, or has no value */
  get(name: string): string | undefined {
    return this.values.get(name);
  }

  /** What a program of a step finds in its environment, besides what the image sets. */
  get environment(): Readonly<Record<string, string>> {
    const proxies = PROXY_ARGUMENTS.flatMap((name) => {
      const value = this.given.arguments[name];
      return value === undefined ? [] : [[name, value] as const];
    });
    const declared = [...this.values].flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
    return Object.fromEntries([...proxies, ...declared]);
  }

  private valueOf(name: string, value: Word | undefined, lookup: Lookup): string | undefined {
    const given = Object.hasOwn(this.given.arguments, name) ? this.given.arguments[name] : undefined;
    if (given !== undefined) return given;
    return value === undefined ? this.outer?.get(name) : expand(value, lookup);
  }
}

/** Arguments that were given and that nothing of the file asks for. */
export function unusedArguments(
  given: Readonly<Record<string, string>>,
  instructions: readonly Instruction[],
): string[] {
  const used = new Set([...PROXY_ARGUMENTS, ...PLATFORM_ARGUMENTS]);
  for (const it of instructions) if (it.kind === 'arg') for (const { name } of it.names) used.add(name);
  return Object.keys(given).filter((name) => !used.has(name));
}
