/** Bundles what tsc made in dist/ to dist/bundle/: few files, so that the command starts quickly. */
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

const bundle = join(dist, 'bundle');
const fresh = join(dist, 'bundle.new');
const stale = join(dist, 'bundle.old');

for (const left of [fresh, stale]) rmSync(left, { recursive: true, force: true });
await build({
  entryPoints: {
    main: join(dist, 'main.js'),
    // Found by oclif by its name.
    'command-classes': join(dist, 'oclif/command-classes.js'),
  },
  outdir: fresh,
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  minifySyntax: true,
  legalComments: 'linked',
  define: { A3S_BOX_VERSION: JSON.stringify(version) },
  plugins: [
    {
      name: 'native-apart',
      setup: ({ onResolve }) =>
        // What is wanted seldom finds its addon only from where it is installed.
        onResolve({ filter: /^@a3s-box\/native$/ }, ({ kind, path }) =>
          kind === 'dynamic-import' ? { path, external: true } : undefined,
        ),
    },
  ],
  // oclif asks for it only in its own development mode.
  external: ['typescript'],
  // Bundled CommonJS asks for Node's modules by require.
  banner: { js: 'import{createRequire as __r}from"node:module";const require=__r(import.meta.url);' },
  logLevel: 'warning',
});

// Commands that run meanwhile find the old one until the new one is whole.
if (existsSync(bundle)) renameSync(bundle, stale);
renameSync(fresh, bundle);
rmSync(stale, { recursive: true, force: true });
