/** Writes validators of schemas as code, so that no process compiles them when it starts. `node generate-schemas.ts [DIRECTORY]` */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Ajv2020, type Options } from 'ajv/dist/2020.js';
import standaloneCode from 'ajv/dist/standalone/index.js';

interface Output {
  readonly file: string;
  /** Directory of the schemas. */
  readonly from: string;
  /** Names of the validators, with their schemas' files. */
  readonly schemas: Readonly<Record<string, string>>;
  readonly options: Options;
}

const OUTPUTS: readonly Output[] = [
  {
    file: 'core/src/kernel/schema-validators.gen.ts',
    from: 'core/schema',
    schemas: {
      pluginManifest: 'plugin-manifest.schema.json',
      distribution: 'distribution.schema.json',
      registries: 'registries.schema.json',
    },
    options: { allErrors: true, verbose: true },
  },
  {
    file: 'plugins/image-trust/src/policy-validator.gen.ts',
    from: 'plugins/image-trust/schema',
    schemas: { imagePolicy: 'image-policy.schema.json' },
    options: { strictRequired: false },
  },
];

const root = join(import.meta.dirname, '..');
const target = process.argv[2] ?? root;
for (const { file, from, schemas, options } of OUTPUTS) {
  const ajv = new Ajv2020({ ...options, code: { source: true, esm: true } });
  const ids: Record<string, string> = {};
  for (const [name, schemaFile] of Object.entries(schemas)) {
    const schema = JSON.parse(readFileSync(join(root, from, schemaFile), 'utf8')) as { $id: string };
    ajv.addSchema(schema);
    ids[name] = schema.$id;
  }
  const code = standaloneCode.default(ajv, ids);
  if (code.includes('require(')) throw new Error(`${from} needs a part of ajv at run time; use plain keywords only`);
  mkdirSync(dirname(join(target, file)), { recursive: true });
  const head = `// @ts-nocheck Written by scripts/generate-schemas.ts from ${from}; do not edit.`;
  writeFileSync(join(target, file), `${head}\n${code.replace('"use strict";', '')}\n`);
}
