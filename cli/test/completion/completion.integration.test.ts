import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { COMMANDS } from '../../dist/commands.js';
import { completedCommands } from '../../dist/completion/completion-table.js';
import { skip } from '../../../test/support/skip.ts';
import { BIN } from '../support/cli.ts';

const BOXES = ['web', 'db'];
const IMAGES = ['a3s/starter:latest', 'alpine:3.20'];
/** In the place of the command, for what it would list. */
const STAND_IN = `a3s-box() { case $1 in ps) printf '%s\\n' ${BOXES.join(' ')};; images) printf '%s\\n' ${IMAGES.join(' ')};; esac; }`;
const names = [...new Set(COMMANDS.map(({ name }) => name.split(' ')[0]!)), 'help'];

const cases: [line: string, found: string[] | 'files'][] = [
  ['a3s-box ', names],
  ['a3s-box r', ['run', 'restart', 'rm', 'rename', 'rmi']],
  ['a3s-box image ', ['inspect', 'fsck', 'prune', 'sign', 'verify']],
  ['a3s-box image inspect ', IMAGES],
  ['a3s-box rm ', BOXES],
  ['a3s-box rm w', ['web']],
  ['a3s-box rm -f web d', ['db']],
  ['a3s-box rm web -', ['-f', '--force', '-v', '--volumes', '--help']],
  ['a3s-box stop --ti', ['--timeout', '--time']],
  ['a3s-box logs -n 5 ', BOXES],
  ['a3s-box run --name ', []],
  ['a3s-box run --name x -e A=1 a3', ['a3s/starter:latest']],
  ['a3s-box run --env-file ', 'files'],
  ['a3s-box run alpine -', 'files'],
  ['a3s-box completion ', ['bash', 'zsh', 'fish']],
  ['a3s-box nosuch ', []],
];

describe('completion', function () {
  this.timeout(20_000);
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'completion-'));
    for (const shell of ['bash', 'zsh', 'fish']) {
      writeFileSync(join(directory, shell), execFileSync(BIN, ['completion', shell]));
    }
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  function output(program: string, args: string[], script: string): string {
    const file = join(directory, 'test');
    writeFileSync(file, script);
    const { stdout, stderr, status } = spawnSync(program, [...args, file], { encoding: 'utf8' });
    assert.deepEqual([status, stderr], [0, '']);
    return stdout;
  }

  it('in bash finds commands, options, boxes and images', () => {
    const lines = cases.map(
      ([line]) => `COMP_LINE='${line}' COMP_POINT=${line.length} COMPREPLY=(); _a3s_box; echo "\${COMPREPLY[*]}"`,
    );
    // Outside of readline compopt fails; that it is asked for files is seen all the same.
    const script = ['source ./bash', STAND_IN, 'compopt() { echo -n files; }', ...lines].join('\n');
    const found = output('bash', ['--norc'], `cd ${directory}\n${script}`).trimEnd().split('\n');
    for (const [i, [line, expected]] of cases.entries()) {
      assert.equal(found[i] ?? '', expected === 'files' ? 'files' : expected.join(' '), line);
    }
  });

  it('in bash gives readline what stands after the last colon', () => {
    const line = 'a3s-box run alpine:';
    const script = `cd ${directory}\nsource ./bash\n${STAND_IN}\nCOMP_LINE='${line}' COMP_POINT=${line.length}; _a3s_box; echo "\${COMPREPLY[*]}"`;
    assert.equal(output('bash', ['--norc'], script), '3.20\n');
  });

  it('in zsh finds the same', function () {
    if (!isThere('zsh')) skip(this, 'zsh is not installed');
    const lines = cases.map(
      ([line]) =>
        `words=(\${(s: :)\${:-'${line}'}}); [[ '${line}' == *' ' ]] && words+=(''); CURRENT=\${#words}; _a3s_box; echo`,
    );
    // zsh itself leaves out what does not fit.
    const stubs = `compdef() { : }\n${STAND_IN}\n_files() { echo -n files }\ncompadd() { shift; echo -n "\${(@M)@:#\${words[CURRENT]}*}" }`;
    const found = output('zsh', ['-f'], `cd ${directory}\n${stubs}\nsource ./zsh\n${lines.join('\n')}`).split('\n');
    for (const [i, [line, expected]] of cases.entries()) {
      assert.equal(found[i] ?? '', expected === 'files' ? 'files' : expected.join(' '), line);
    }
  });

  it('in fish finds the same', function () {
    if (!isThere('fish')) skip(this, 'fish is not installed');
    const standIn = `function a3s-box; switch $argv[1]; case ps; printf '%s\\n' ${BOXES.join(' ')}; case images; printf '%s\\n' ${IMAGES.join(' ')}; end; end`;
    for (const [line, expected] of cases) {
      // Shows short options and long ones apart, and no help as a command.
      if (expected === 'files' || line.includes('-') || line.endsWith('-box ')) continue;
      const found = output('fish', ['--no-config'], `${standIn}\nsource ${directory}/fish\ncomplete -C '${line}'`);
      const words = found.split('\n').flatMap((row) => row.split('\t')[0] || []);
      assert.deepEqual(words.sort(), [...expected].sort(), line);
    }
  });

  it('knows every command and every option that is not hidden', () => {
    for (const [i, { name, flags }] of completedCommands(COMMANDS).entries()) {
      const own = Object.entries(COMMANDS[i]!.flags).flatMap(([flag, { hidden }]) => (hidden ? [] : [`--${flag}`]));
      assert.equal(name, COMMANDS[i]!.name);
      for (const flag of own)
        assert.ok(
          flags.some(({ spellings }) => spellings.includes(flag)),
          `${name} ${flag}`,
        );
    }
  });

  it('refuses other shells', () => {
    const { status, stderr } = spawnSync(BIN, ['completion', 'tcsh'], { encoding: 'utf8' });
    assert.equal(status, 125);
    assert.match(stderr, /no completion for the shell "tcsh"/);
  });
});

function isThere(program: string): boolean {
  return spawnSync(program, ['--version']).error === undefined;
}
