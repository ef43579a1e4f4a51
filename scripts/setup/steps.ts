/** The steps of the set-up that run on the checkout's own Node.js, in order. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { dependencyDifference } from './dependencies.ts';
import type { Step } from './step-runner.ts';

interface PackageJson {
  readonly name?: string;
  readonly workspaces?: readonly string[];
  readonly scripts?: Readonly<Record<string, string>>;
}

interface Workspace {
  /** Relative to the root, for example `plugins/erofs`. */
  readonly directory: string;
  readonly name: string;
  readonly hasBuild: boolean;
}

const NATIVE = 'build-native';
const GUEST = 'guest-init';
const NPM_FLAGS = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-update-notifier'];

/**
 * Npm's packages, as the lock file says. `npm ci` is not used: it refuses a lock file that lacks an optional package for
 * some other system, which happens wherever a registry does not serve all of them. The check afterwards is as strict.
 */
export function dependencyStep(root: string): Step {
  return {
    name: 'dependencies',
    inputs: ['package.json', 'package-lock.json', ...workspaces(root).map((w) => `${w.directory}/package.json`)],
    outputs: ['node_modules/.package-lock.json'],
    commands: [{ argv: ['npm', 'install', '--no-save', ...NPM_FLAGS] }],
    isDone: () => dependencyDifference(root) === undefined,
    verify: () => dependencyDifference(root),
    advice:
      'If npm cannot reach its registry (npm ping), mend that; if a package.json was changed without package-lock.json, ' +
      'run `npm install --ignore-scripts`. Then start again.',
  };
}

/** TypeScript, then the packages' own build scripts, the native addon first. */
export function buildSteps(root: string): Step[] {
  const all = workspaces(root);
  const sources = ['tsconfig.json', 'tsconfig.base.json', 'package-lock.json'];
  for (const { directory } of all) {
    sources.push(`${directory}/src`, `${directory}/tsconfig.json`, `${directory}/package.json`);
  }
  const projects = all.filter((w) => existsSync(join(root, w.directory, 'tsconfig.json')));
  const typescript: Step = {
    name: 'typescript',
    inputs: sources,
    outputs: projects.map((w) => `${w.directory}/dist`),
    commands: [{ argv: [join(root, 'node_modules/.bin/tsc'), '-b'] }],
    advice: 'Mend what the compiler reports, then start again.',
  };
  const own = all
    .filter((w) => w.hasBuild && w.directory !== GUEST)
    .map((w) => packageStep(w, w.directory === 'native' ? [] : sources));
  return [typescript, ...own.filter((s) => s.name === NATIVE), ...own.filter((s) => s.name !== NATIVE)];
}

function packageStep({ directory, name }: Workspace, sources: readonly string[]): Step {
  return {
    name: `build-${directory.replaceAll('/', '-')}`,
    inputs: [directory, 'package-lock.json', ...sources],
    outputs: ['dist', 'build', 'prebuilds'].map((made) => `${directory}/${made}`),
    commands: [{ argv: ['npm', 'run', '--silent', 'build', '--workspace', name] }],
    advice: `Run \`npm run build -w ${name}\` to see it alone.`,
  };
}

/** guest-init, which needs nothing of the other steps: cargo, or the prebuilt executable. */
export function guestSteps(root: string): Step[] {
  if (!existsSync(join(root, 'guest-init/package.json'))) return [];
  return [
    {
      name: 'guest-init',
      inputs: ['guest-init'],
      outputs: ['guest-init/target', 'guest-init/dist', 'guest-init/build'],
      commands: [{ argv: ['npm', 'run', '--silent', 'build'], cwd: 'guest-init' }],
      advice: 'With changed sources it needs cargo: sudo sh scripts/setup-system.sh --tests',
    },
  ];
}

/**
 * The server of the host's files, from crates.io with the versions of its own lock file. Product and tests find it in the
 * checkout; where it was not made they take the system's.
 */
export function shareServerSteps(root: string): Step[] {
  const list = 'tools/toolchain/virtiofsd.txt';
  const version = readFileSync(join(root, list), 'utf8').trim();
  const into = ['--root', '.toolchain/virtiofsd', '--target-dir', '.cache/virtiofsd', '--force'];
  return [
    {
      name: 'virtiofsd',
      inputs: [list],
      outputs: ['.toolchain/virtiofsd/bin'],
      commands: [{ argv: ['cargo', 'install', 'virtiofsd', '--version', `=${version}`, '--locked', ...into] }],
      advice: 'It needs cargo, libcap-ng-dev and libseccomp-dev: sudo sh scripts/setup-system.sh --tests',
    },
  ];
}

/**
 * What the emulated KVM host of the tests starts from: its root file system, for which nothing else is needed, and the
 * snapshot, which needs all the other steps. A machine that can have no such host runs all other tests.
 */
export function kvmHostSteps(): [base: Step, snapshot: Step] {
  const step = (what: string, inputs: readonly string[]): Step => ({
    name: `kvm-host-${what}`,
    inputs: ['test/kvm-host', ...inputs],
    outputs: ['.cache/kvm-host'],
    commands: [{ argv: ['node', 'test/kvm-host/prepare.ts', what] }],
    advice: 'The set-up goes on; the tests of the lane kvm-host try it again, and say why they cannot run.',
    optional: true,
  });
  return [step('base', []), step('snapshot', ['package-lock.json', 'tools/toolchain'])];
}

export function workspaces(root: string): Workspace[] {
  const patterns = readPackage(root, '.').workspaces ?? [];
  const directories = globSync(patterns as string[], { cwd: root }).filter((directory) =>
    existsSync(join(root, directory, 'package.json')),
  );
  return directories.sort().map((directory) => {
    const manifest = readPackage(root, directory);
    return { directory, name: manifest.name ?? directory, hasBuild: manifest.scripts?.['build'] !== undefined };
  });
}

function readPackage(root: string, directory: string): PackageJson {
  return JSON.parse(readFileSync(join(root, directory, 'package.json'), 'utf8')) as PackageJson;
}
