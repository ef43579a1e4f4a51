import { readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { addon } from './addon.js';
import { packageDirectory } from './platform-package.js';

const PACKAGES: Readonly<Record<string, string>> = {
  'linux-x64': '@earendil-works/gondolin-krun-runner-linux-x64',
  'darwin-arm64': '@earendil-works/gondolin-krun-runner-darwin-arm64',
};

interface Places {
  readonly system: readonly string[];
  readonly homebrew: readonly string[];
  readonly fileName: RegExp;
}

const PLACES: Readonly<Partial<Record<NodeJS.Platform, Places>>> = {
  linux: {
    system: ['/usr/local/lib64', '/usr/local/lib', '/usr/lib64', ...multiarch(), '/usr/lib'],
    homebrew: ['/home/linuxbrew/.linuxbrew/lib'],
    fileName: /^libkrun\.so(\.[0-9]+)*$/,
  },
  darwin: {
    system: ['/usr/local/lib'],
    homebrew: ['/opt/homebrew/lib'],
    fileName: /^libkrun(\.[0-9]+)*\.dylib$/,
  },
  win32: { system: ['C:\\Program Files\\libkrun\\bin'], homebrew: [], fileName: /^(lib)?krun\.dll$/ },
};

/** Without these there is no machine at all (launcher/krun/krun_adapter.c). */
const REQUIRED = [
  ...['krun_create_ctx', 'krun_set_kernel', 'krun_has_feature', 'krun_init_log', 'krun_set_vm_config'],
  ...['krun_add_disk3', 'krun_add_virtiofs2', 'krun_disable_implicit_vsock', 'krun_add_vsock', 'krun_add_vsock_port2'],
  ...['krun_set_port_map', 'krun_set_console_output', 'krun_start_enter'],
] as const;
const OPTIONAL = ['krun_add_net_unixstream', 'krun_add_virtiofs3', 'krun_set_nested_virt'] as const;
/** Absent from a build without the feature, however new that is. */
const OF_FEATURE_BLK: readonly string[] = ['krun_add_disk3'];
const FEATURES = { NET: 0, BLK: 1 } as const;

export type LibkrunSource = 'given' | 'system' | 'homebrew' | 'package';

/** A libkrun that machines can be started with. */
export interface Libkrun {
  /** Absolute, without symbolic links: with macOS each other path of the same file is checked anew. */
  readonly path: string;
  readonly source: LibkrunSource;
  /** As its file name or its directory says, for example `1.17.4`; undefined where neither does. */
  readonly version?: string;
  /** Network cards. Impersonated sockets need none of it. */
  readonly net: boolean;
  /** Whether it refuses writes to a read-only share by itself. */
  readonly readOnlyShares: boolean;
}

/** What there is of libkrun, or why it cannot be used. */
export type LibkrunProbe =
  | { readonly kind: 'usable'; readonly libkrun: Libkrun }
  /** `searched`: the directories, or the file that was given. */
  | { readonly kind: 'missing'; readonly searched: readonly string[] }
  /** `reason`: the dynamic loader's. */
  | { readonly kind: 'unloadable'; readonly path: string; readonly reason: string }
  /** `missing`: functions. */
  | { readonly kind: 'too-old'; readonly path: string; readonly version?: string; readonly missing: readonly string[] }
  | { readonly kind: 'without-feature'; readonly path: string; readonly feature: 'BLK' | 'NET' };

export interface LibkrunSearch {
  /** Absolute path that the user gave. Then no other is looked for. */
  readonly given?: string | undefined;
  /** Whether one without network cards is refused. */
  readonly needsNet?: boolean;
  /** Searched instead of the system's directories, in tests. */
  readonly places?: Partial<Pick<Places, 'system' | 'homebrew'>>;
}

/**
 * Looks for libkrun: what was given, the system's directories, Homebrew's, the npm package for this platform. The first
 * that is there is the one that counts. Starts nothing.
 */
export function probeLibkrun(search: LibkrunSearch = {}): LibkrunProbe {
  if (search.given !== undefined) {
    if (statSync(search.given, { throwIfNoEntry: false }) === undefined) {
      return { kind: 'missing', searched: [search.given] };
    }
    return inspect(search.given, 'given', search);
  }
  const places = { ...PLACES[process.platform], ...search.places };
  const searched: string[] = [];
  for (const [source, directories] of [
    ['system', places.system ?? []],
    ['homebrew', places.homebrew ?? []],
  ] as const) {
    for (const directory of directories) {
      searched.push(directory);
      const file = newest(directory);
      if (file !== undefined) return inspect(file, source, search);
    }
  }
  const packaged = libkrunPackagePath();
  if (packaged !== undefined) return inspect(packaged, 'package', search);
  return { kind: 'missing', searched: [...searched, PACKAGES[`${process.platform}-${process.arch}`] ?? []].flat() };
}

/** Absolute path of libkrun from the npm package for this platform; undefined where that is not installed. */
export function libkrunPackagePath(): string | undefined {
  const name = PACKAGES[`${process.platform}-${process.arch}`];
  const library = name === undefined ? undefined : packageDirectory(name, 'lib');
  return library === undefined ? undefined : newest(library);
}

function inspect(file: string, source: LibkrunSource, { needsNet }: LibkrunSearch): LibkrunProbe {
  const path = realpathSync(file);
  let found;
  try {
    found = addon().inspectLibkrun(path, [...REQUIRED, ...OPTIONAL], [FEATURES.NET, FEATURES.BLK]);
  } catch (error) {
    return { kind: 'unloadable', path, reason: (error as Error).message };
  }
  const version = versionOf(path);
  const known = version === undefined ? {} : { version };
  const [net, blk] = found.features ?? [false, true];
  const missing = REQUIRED.filter(
    (name) => !found.functions.includes(name) && (blk === true || !OF_FEATURE_BLK.includes(name)),
  );
  if (missing.length > 0) return { kind: 'too-old', path, ...known, missing };
  if (blk !== true) return { kind: 'without-feature', path, feature: 'BLK' };
  if (needsNet === true && net !== true) return { kind: 'without-feature', path, feature: 'NET' };
  const readOnlyShares = found.functions.includes('krun_add_virtiofs3');
  return { kind: 'usable', libkrun: { path, source, ...known, net: net === true, readOnlyShares } };
}

/** The file of the highest version in a directory; links and their targets end up at the same. */
function newest(directory: string): string | undefined {
  const pattern = PLACES[process.platform]?.fileName;
  if (pattern === undefined || statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) return undefined;
  const names = readdirSync(directory).filter((name) => pattern.test(name));
  const last = names.sort(new Intl.Collator('en', { numeric: true }).compare).at(-1);
  return last === undefined ? undefined : join(directory, last);
}

/** libkrun exports no version: `libkrun.so.1.17.4`, or Homebrew's `Cellar/libkrun/1.17.4/lib/libkrun.1.dylib`. */
function versionOf(path: string): string | undefined {
  const dotted = /\.(?:so\.)?([0-9]+\.[0-9]+(?:\.[0-9]+)*)(?:\.dylib)?$/.exec(basename(path));
  return (dotted ?? /[/\\]libkrun[/\\]([0-9]+(?:\.[0-9]+)+)[/\\]/.exec(path))?.[1];
}

function multiarch(): string[] {
  const triplets: Readonly<Record<string, string>> = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };
  const triplet = triplets[process.arch];
  return triplet === undefined ? [] : [`/usr/lib/${triplet}`];
}
