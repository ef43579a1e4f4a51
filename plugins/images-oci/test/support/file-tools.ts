/** GNU find and getfattr of this machine with all they need, as a layer: a busybox has neither. */
import { readFileSync, realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { archive, type Member } from '../../../erofs/test/support/tar-builder.ts';
import { run } from './programs.ts';

const DIRECTORY = 'file-tools';
/** On a file of the layer beside that directory, value `y`: shows that attributes are listed at all. */
export const ATTRIBUTE = 'user.a3s.probe';

/** A shell's definitions of both, for a root file system with the layer in it; the layer is below `/file-tools`. */
export const FILE_TOOLS = ['find', 'getfattr']
  .map((name) => `${name}() { /${DIRECTORY}/loader --library-path /${DIRECTORY} /${DIRECTORY}/${name} "$@"; }\n`)
  .join('');

export function fileToolsLayer(): Buffer {
  const programs = ['find', 'getfattr'].map((name) => realpathSync(run('sh', ['-c', `command -v ${name}`]).trim()));
  const libraries = new Set(programs.flatMap((program) => run('ldd', [program]).match(/\/\S+/g) ?? []));
  const member = (name: string, path: string): Member => ({
    name: `${DIRECTORY}/${name}`,
    mode: 0o755,
    data: readFileSync(path),
  });
  return archive([
    { name: 'with-attribute', data: Buffer.from('x'), pax: [[`SCHILY.xattr.${ATTRIBUTE}`, 'y']], nanoseconds: 5 },
    { name: `${DIRECTORY}/`, type: '5', mode: 0o755 },
    ...programs.map((path) => member(basename(path), path)),
    ...[...libraries].map((path) => member(/\/ld-[^/]*$/.test(path) ? 'loader' : basename(path), path)),
  ]);
}
