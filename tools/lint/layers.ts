/** Who may import whom: docs/adr/0004-layers-as-lint.md. */
import { dirname, join, normalize } from 'node:path/posix';
import type { WorkspacePackage } from './workspace.ts';

export interface Import {
  /** The file that imports, relative to the root, with slashes. */
  readonly file: string;
  readonly specifier: string;
  readonly typeOnly: boolean;
}

/** What a file belongs to, and what it may import, in the words of the message. */
interface Layer {
  readonly title: string;
  readonly allowed: string;
  readonly permits: (target: Target) => boolean;
}

/** What an import leads to. */
type Target =
  | { readonly kind: 'own'; readonly file: string }
  | { readonly kind: 'workspace'; readonly pack: WorkspacePackage; readonly entry: string }
  /** A file of another package, reached by a relative path. */
  | { readonly kind: 'stray'; readonly file: string }
  | { readonly kind: 'external'; readonly name: string; readonly typeOnly: boolean };

/** @returns what is wrong with an import and what is allowed instead; undefined when nothing is */
export function importProblem(it: Import, workspace: readonly WorkspacePackage[]): string | undefined {
  const own = ownerOf(it.file, workspace);
  if (own === undefined || !it.file.startsWith(`${own.directory}/src/`)) return undefined;
  const layer = layerOf(it.file, own);
  if (layer === undefined || layer.permits(targetOf(it, own, workspace))) return undefined;
  return `${layer.title} may not import '${it.specifier}'. It may import ${layer.allowed}.`;
}

/** The backend that a string names from outside backends/, where only capabilities may be asked for. */
export function backendNamed(file: string, text: string, workspace: readonly WorkspacePackage[]): string | undefined {
  const own = ownerOf(file, workspace);
  if (own === undefined || own.directory.startsWith('backends/') || !file.startsWith(`${own.directory}/src/`))
    return undefined;
  if (own.kind === 'contract' || own.kind === 'test') return undefined;
  const names = workspace
    .filter(({ kind }) => kind === 'backend')
    .flatMap((it) => [it.name, it.directory.slice('backends/'.length)]);
  return names.find((name) => name === text);
}

const OWN_ERRORS_AND_TYPES = 'files of core/src/errors, and types of packages';

function layerOf(file: string, own: WorkspacePackage): Layer | undefined {
  if (own.kind === 'core') return coreLayer(file.slice('core/src/'.length));
  const { title, allowed, permits } = PACKAGE_LAYERS[own.kind] ?? {};
  if (title === undefined || allowed === undefined || permits === undefined) return undefined;
  return {
    title: `${title} (${own.name})`,
    allowed: `its own files, ${allowed}, and packages from the registry but no tsyringe`,
    permits: (target) => {
      if (target.kind === 'external') return !isContainerPackage(target.name);
      return target.kind === 'own' || (target.kind === 'workspace' && permits(target, own));
    },
  };
}

type WorkspaceTarget = Extract<Target, { readonly kind: 'workspace' }>;

interface PackageLayer {
  readonly title: string;
  readonly allowed: string;
  readonly permits: (target: WorkspaceTarget, own: WorkspacePackage) => boolean;
}

const isLibrary = ({ pack }: WorkspaceTarget): boolean => pack.kind === 'library';
const isCoreEntry = ({ pack, entry }: WorkspaceTarget): boolean => pack.kind === 'core' && entry === '.';

const PLUGIN: PackageLayer = {
  title: 'a plugin',
  allowed: '@a3s-box/core (this entry alone), library packages (those without an a3sBox manifest)',
  permits: (target) => isCoreEntry(target) || isLibrary(target),
};

const PACKAGE_LAYERS: Readonly<Partial<Record<WorkspacePackage['kind'], PackageLayer>>> = {
  plugin: PLUGIN,
  backend: { ...PLUGIN, title: 'a backend' },
  contract: { ...PLUGIN, title: 'a contract kit' },
  host: {
    title: 'a host',
    allowed: '@a3s-box/core and its entries, library packages (plugins are found through their manifests)',
    permits: (target) => target.pack.kind === 'core' || isLibrary(target),
  },
  library: {
    title: 'a library package',
    allowed: 'library packages, @a3s-box/core (this entry alone) unless core depends on it',
    permits: (target, own) => isLibrary(target) || (isCoreEntry(target) && !own.belowCore),
  },
};

function coreLayer(file: string): Layer | undefined {
  const [directory = ''] = file.split('/');
  if (directory === 'gen') return undefined;
  if (directory === 'ports' || directory === 'errors') return lowestLayer(directory);
  const mayUseContainer = file === 'kernel/container.ts';
  const permits = (target: Target): boolean => {
    if (target.kind === 'workspace') return isLibrary(target);
    if (target.kind === 'external') return mayUseContainer || !isContainerPackage(target.name);
    if (target.kind === 'stray') return false;
    return directory !== 'kernel' || ['ports', 'errors', 'kernel'].includes(topOf(target.file));
  };
  const tsyringe = mayUseContainer ? '' : ' but no tsyringe and reflect-metadata (kernel/container.ts wraps them)';
  return directory === 'kernel'
    ? {
        title: 'core/src/kernel',
        allowed: `files of core/src/ports, errors and kernel, library packages, packages from the registry${tsyringe}`,
        permits,
      }
    : { title: 'core', allowed: `files of core, library packages, packages from the registry${tsyringe}`, permits };
}

/** Ports and errors are what everything else stands on. */
function lowestLayer(directory: 'ports' | 'errors'): Layer {
  return {
    title: `core/src/${directory}`,
    allowed:
      directory === 'ports'
        ? `files of core/src/ports, types of core/src/errors, and types of packages`
        : OWN_ERRORS_AND_TYPES,
    permits: (target) => {
      if (target.kind === 'external') return target.typeOnly;
      return target.kind === 'own' && topOf(target.file) === directory;
    },
  };
}

/** `ports` for `core/src/ports/port.ts`. */
function topOf(file: string): string {
  return file.split('/')[2] ?? '';
}

function targetOf(
  { file, specifier, typeOnly }: Import,
  own: WorkspacePackage,
  workspace: readonly WorkspacePackage[],
): Target {
  if (specifier.startsWith('.')) {
    const target = normalize(join(dirname(file), specifier));
    return { kind: ownerOf(target, workspace) === own ? 'own' : 'stray', file: target };
  }
  const name = /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
  const pack = workspace.find((it) => it.name === name);
  if (pack === undefined) return { kind: 'external', name, typeOnly };
  if (pack === own) return { kind: 'own', file: `${own.directory}/src/` };
  return { kind: 'workspace', pack, entry: `.${specifier.slice(name.length)}` };
}

function ownerOf(file: string, workspace: readonly WorkspacePackage[]): WorkspacePackage | undefined {
  return workspace.find(({ directory }) => file.startsWith(`${directory}/`));
}

function isContainerPackage(name: string): boolean {
  return name === 'tsyringe' || name === 'reflect-metadata';
}
