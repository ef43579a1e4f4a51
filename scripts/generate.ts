/** Writes the TypeScript of the protocols (core/src/gen) from their .proto files. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const out = process.argv[2] ?? join(root, 'core/src/gen');
const options = [
  'esModuleInterop=true',
  'importSuffix=.js',
  'outputServices=grpc-js',
  'env=node',
  'useOptionals=none',
  'oneof=unions-value',
  'forceLong=bigint',
  'useExactTypes=false',
  'outputJsonMethods=false',
  'outputPartialMethods=true',
  'useDate=false',
  'removeEnumPrefix=true',
  'stringEnums=false',
];
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
for (const protos of ['guest-init/proto', 'core/proto']) {
  const template = {
    version: 'v2',
    plugins: [{ local: join(root, 'node_modules/.bin/protoc-gen-ts_proto'), out, opt: options }],
  };
  const file = join(root, 'node_modules/.cache-buf.gen.json');
  writeFileSync(file, JSON.stringify(template));
  execFileSync(join(root, 'node_modules/.bin/buf'), ['generate', join(root, protos), '--template', file], {
    stdio: 'inherit',
  });
  rmSync(file);
}
