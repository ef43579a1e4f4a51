/** Writes the TypeScript types of native's documents from their schemas. `node scripts/generate-types.ts [DIRECTORY]` */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compile, type JSONSchema } from 'json-schema-to-typescript';

const root = join(import.meta.dirname, '..');
const out = process.argv[2] ?? join(root, 'native/src');

for (const name of ['document', 'status']) {
  const file = `native/launcher/krun/${name}.schema.json`;
  const schema = JSON.parse(readFileSync(join(root, file), 'utf8')) as JSONSchema;
  const types = await compile(schema, name, {
    bannerComment: `// Written by scripts/generate-types.ts from ${file}; do not edit.`,
    style: { singleQuote: true, printWidth: 120 },
    // Bounds of arrays would become unions of tuples.
    ignoreMinAndMaxItems: true,
  });
  writeFileSync(join(out, `krun-${name}.gen.ts`), types);
}
