/** Writes the validators of core/schema as code, so that no process compiles those schemas when it starts. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import standaloneCode from 'ajv/dist/standalone/index.js';

const root = join(import.meta.dirname, '..');
const out = process.argv[2] ?? join(root, 'core/src/kernel/schema-validators.gen.ts');
const schemas = { pluginManifest: 'plugin-manifest.schema.json', distribution: 'distribution.schema.json' };

const ajv = new Ajv2020({ allErrors: true, verbose: true, code: { source: true, esm: true } });
const ids: Record<string, string> = {};
for (const [name, file] of Object.entries(schemas)) {
  const schema = JSON.parse(readFileSync(join(root, 'core/schema', file), 'utf8')) as { $id: string };
  ajv.addSchema(schema);
  ids[name] = schema.$id;
}
const code = standaloneCode.default(ajv, ids);
if (code.includes('require(')) throw new Error('the schemas need a part of ajv at run time; use plain keywords only');
writeFileSync(
  out,
  `// @ts-nocheck Written by scripts/generate-schemas.ts from core/schema; do not edit.\n${code.replace('"use strict";', '')}\n`,
);
