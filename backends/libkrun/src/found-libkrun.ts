import type { Libkrun, LibkrunProbe } from '@a3s-box/native';

export interface LibkrunHints {
  /** What installs one that can be used. */
  readonly install: string;
  /** What mends one that cannot be loaded. */
  readonly load: string;
}

export type FoundLibkrun = { readonly libkrun: Libkrun } | { readonly obstacle: string };

/** The libkrun of a probe, or in one sentence why there is none and what would change that. */
export function foundLibkrun(probe: LibkrunProbe, { install, load }: LibkrunHints): FoundLibkrun {
  switch (probe.kind) {
    case 'usable':
      return { libkrun: probe.libkrun };
    case 'missing':
      return { obstacle: `libkrun is not there: looked in ${probe.searched.join(', ')} (${install})` };
    case 'unloadable':
      return { obstacle: `${probe.path} cannot be loaded: ${probe.reason} (${load})` };
    case 'too-old': {
      const version = probe.version === undefined ? '' : ` (version ${probe.version})`;
      return { obstacle: `${probe.path}${version} is too old: it has no ${probe.missing.join(', ')} (${install})` };
    }
    case 'without-feature':
      return { obstacle: `${probe.path} was built without ${probe.feature} (${install})` };
  }
}
