/** What the layering rule knows of this workspace: its packages, read from their package.json files. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What a package is to the others. */
export type PackageKind = 'core' | 'plugin' | 'backend' | 'host' | 'contract' | 'library' | 'test';

export interface WorkspacePackage {
  readonly name: string;
  /** Relative to the root, with slashes. */
  readonly directory: string;
  readonly kind: PackageKind;
  /** Whether core depends on it, so that it cannot depend on core. */
  readonly belowCore: boolean;
}

interface PackageJson {
  readonly name: string;
  readonly a3sBox?: unknown;
  readonly workspaces?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** Directories whose packages are hosts, although they may carry a manifest too. */
const HOSTS = ['cli', 'cri'];

/** @param root absolute path of the workspace */
export function readWorkspace(root: string): readonly WorkspacePackage[] {
  const patterns = read(join(root, 'package.json')).workspaces ?? [];
  const files = globSync(
    patterns.map((pattern) => `${pattern}/package.json`),
    { cwd: root },
  );
  const packages = files.map((file) => ({ ...read(join(root, file)), directory: dirname(file).replaceAll('\\', '/') }));
  const core = packages.find(({ directory }) => directory === 'core');
  return packages
    .map((pack) => ({
      name: pack.name,
      directory: pack.directory,
      kind: kindOf(pack.directory, pack.a3sBox !== undefined),
      belowCore: core?.dependencies?.[pack.name] !== undefined,
    }))
    .toSorted((a, b) => b.directory.length - a.directory.length);
}

function kindOf(directory: string, hasManifest: boolean): PackageKind {
  if (directory === 'core') return 'core';
  if (HOSTS.includes(directory)) return 'host';
  if (directory === 'test') return 'test';
  if (directory.startsWith('test/contract/')) return 'contract';
  if (!hasManifest) return 'library';
  return directory.startsWith('backends/') ? 'backend' : 'plugin';
}

function read(file: string): PackageJson {
  return JSON.parse(readFileSync(file, 'utf8')) as PackageJson;
}
