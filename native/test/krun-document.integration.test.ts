import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import type { KrunDocument } from '../dist/index.js';
import { changed, fullDocument, networkDocument, WRONG_DOCUMENTS } from './krun-documents.ts';

const NATIVE = join(import.meta.dirname, '..');
const SCHEMA = join(NATIVE, 'launcher/krun/document.schema.json');

describe('the documents of a3s-box-krun', function () {
  this.timeout(60_000);
  let directory: string;
  let program: string;

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'krun-document-'));
    program = join(directory, 'check-document');
    const sources = ['test/check-document.c', 'launcher/krun/document.c', 'launcher/krun/json.c'];
    const sanitizers = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer'];
    execFileSync('cc', ['-std=gnu11', '-D_GNU_SOURCE', '-g', '-O1', ...sanitizers, '-o', program, ...sources], {
      cwd: NATIVE,
      stdio: 'inherit',
    });
  });
  after(() => rmSync(directory, { recursive: true }));

  /** What the parser, built with AddressSanitizer, says of each document. */
  function check(documents: readonly (string | Buffer)[]): string[] {
    const input = documents.flatMap((document) => {
      const bytes = Buffer.from(document as string);
      const head = Buffer.alloc(4);
      head.writeUInt32BE(bytes.length);
      return [head, bytes];
    });
    const { stdout, stderr, status } = spawnSync(program, { input: Buffer.concat(input), encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return stdout.split('\n').slice(0, -1);
  }

  it('are accepted when they are as the schema says, with the descriptors that they name', () => {
    assert.deepEqual(
      check([
        JSON.stringify(fullDocument()),
        JSON.stringify(networkDocument(), undefined, 2),
        ` ${JSON.stringify(fullDocument())}\n`,
      ]),
      ['accepted 5 6 7 8', 'accepted 5 6 8 9', 'accepted 5 6 7 8'],
    );
    const longest = JSON.stringify(fullDocument()).padEnd(65_536);
    const named = changed(fullDocument(), '/console', '/run/\\"ü\u{1f600}');
    assert.deepEqual(check([longest, named]), ['accepted 5 6 7 8', 'accepted 5 6 7 8']);
  });

  it('are refused by the path of what is wrong', () => {
    const answers = check(WRONG_DOCUMENTS.map(([, document]) => document));
    const expected = WRONG_DOCUMENTS.map(([what, , pointer]) => `${what}: refused ${pointer}`);
    const told = WRONG_DOCUMENTS.map(([what], index) => `${what}: ${answers[index]?.split('\t')[0]}`);
    assert.deepEqual(told, expected);
  });

  it('are refused when they are cut off anywhere', () => {
    const document = JSON.stringify(networkDocument());
    const answers = check(Array.from({ length: document.length }, (_, end) => document.slice(0, end)));
    assert.deepEqual(
      answers.filter((answer) => answer.startsWith('accepted')),
      [],
    );
  });

  it('are judged as a validator judges them by the schema', () => {
    const validate = new Ajv2020().compile(JSON.parse(readFileSync(SCHEMA, 'utf8')) as object);
    const paths = [fullDocument(), networkDocument()].flatMap((document) =>
      pathsOf(document).map((path) => [document, path] as const),
    );
    const values = fc.oneof(
      fc.constant(undefined),
      fc.jsonValue({ maxDepth: 2 }),
      fc.integer({ min: -1, max: 2000 }),
      fc.constantFrom('raw', 'elf', 'off', 'none', 'read-only', '/x', 'C:\\x', '02:00:00:00:00:01', 'name', 'NAME'),
    );
    const documents = fc.sample(
      fc.tuple(fc.constantFrom(...paths), values).map(([[document, path], value]) => changed(document, path, value)),
      3000,
    );
    const answers = check(documents);
    for (const [index, document] of documents.entries()) {
      const answer = answers[index] ?? '';
      const valid = validate(JSON.parse(document));
      // What a schema cannot say: names that are there twice, TSI beside a network, whole numbers written as 1.0 or 1e3.
      if (/is there twice|must be null where vsock has tsi|whole number/.test(answer)) continue;
      assert.equal(answer.startsWith('accepted'), valid, `${document}\n${answer}\n${JSON.stringify(validate.errors)}`);
    }
  });
});

/** Paths of all members and items. */
function pathsOf(value: KrunDocument): string[] {
  const walk = (node: unknown, path: string): string[] =>
    typeof node === 'object' && node !== null
      ? Object.entries(node).flatMap(([name, inner]) => [`${path}/${name}`, ...walk(inner, `${path}/${name}`)])
      : [];
  return walk(value, '');
}
