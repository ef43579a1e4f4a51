import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { COMMANDS } from '../dist/commands.js';
import { COMMAND_CLASSES } from '../dist/oclif/command-classes.js';
import { UNSUPPORTED_FLAGS, unsupportedFlag } from '../dist/unsupported.js';
import { flagSnapshot, REFERENCE_FILE, referencePage, SNAPSHOT_FILE } from '../scripts/cli-reference.ts';

const UPDATE = 'npm run reference -w cli';

describe('commands', () => {
  it('have the interface of the snapshot', () => {
    assert.equal(
      flagSnapshot(),
      readFileSync(SNAPSHOT_FILE, 'utf8'),
      `the interface changed; if it is meant: ${UPDATE}`,
    );
  });

  it('are described by docs/cli-reference.md as they are', async () => {
    assert.equal(await referencePage(), readFileSync(REFERENCE_FILE, 'utf8'), `the page is stale: ${UPDATE}`);
  });

  for (const command of COMMANDS) {
    it(`${command.name}: oclif's class has the same flags`, () => {
      const flags = COMMAND_CLASSES[command.name.replace(' ', ':')]!.flags;
      assert.deepEqual(Object.keys(flags), Object.keys(command.flags));
      for (const [name, { char, kind, aliases }] of Object.entries(command.flags)) {
        assert.equal(flags[name]!.char, char, name);
        assert.deepEqual(flags[name]!.aliases, aliases ?? [], name);
        assert.equal(flags[name]!.type, kind === 'boolean' ? 'boolean' : 'option', name);
        assert.equal('multiple' in flags[name]! && flags[name].multiple === true, kind === 'list', name);
      }
    });

    it(`${command.name}: no letter is used twice`, () => {
      const chars = Object.values(command.flags).flatMap(({ char }) => char ?? []);
      assert.equal(new Set(chars).size, chars.length);
    });

    it(`${command.name}: its code can be loaded`, async () => assert.equal(typeof (await command.load()), 'function'));
  }
});

describe('unsupported options', () => {
  it('are none that a command has', () => {
    for (const { spelling, commands } of UNSUPPORTED_FLAGS) {
      for (const name of commands) {
        const { flags } = COMMANDS.find((command) => command.name === name)!;
        for (const spelled of spelling.split(', ')) {
          const known = Object.entries(flags).some(([flag, { char }]) => [`--${flag}`, `-${char}`].includes(spelled));
          assert.ok(!known, `${name} ${spelled}`);
        }
      }
    }
  });

  it('are listed once, with a reason', () => {
    const all = UNSUPPORTED_FLAGS.flatMap(({ spelling, commands }) => commands.map((name) => `${name} ${spelling}`));
    assert.equal(new Set(all).size, all.length);
    for (const { reason } of UNSUPPORTED_FLAGS) assert.match(reason, /\w{3}/);
  });

  // Options of Docker's other commands of these names, from their help.
  const others: Record<string, string[]> = {
    ps: ['all', 'filter', 'format', 'last', 'latest', 'no-trunc', 'quiet', 'size'],
    logs: ['details', 'follow', 'since', 'tail', 'timestamps', 'until'],
    stop: ['signal', 'timeout'],
    kill: ['signal'],
    rm: ['force', 'link', 'volumes'],
    wait: [],
    inspect: ['format', 'size', 'type'],
    port: [],
    images: ['all', 'digests', 'filter', 'format', 'no-trunc', 'quiet', 'tree'],
    push: ['all-tags', 'disable-content-trust', 'platform', 'quiet'],
    exec: ['detach', 'detach-keys', 'env', 'env-file', 'interactive', 'privileged', 'tty', 'user', 'workdir'],
  };

  for (const [command, names] of Object.entries(others)) {
    it(`of ${command} are, with the supported ones, all of Docker's`, () => {
      const { flags } = COMMANDS.find(({ name }) => name === command)!;
      for (const name of names) assert.ok(name in flags || unsupportedFlag(command, `--${name}`), `--${name}`);
    });
  }
});
