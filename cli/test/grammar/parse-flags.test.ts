import assert from 'node:assert/strict';
import fc from 'fast-check';
import { run } from '../../dist/commands/run.js';
import { exec } from '../../dist/commands/exec.js';
import { info } from '../../dist/commands/info.js';
import { stop } from '../../dist/commands/stop.js';
import { parseFlags } from '../../dist/grammar/parse-flags.js';

const parse = (...argv: string[]) => parseFlags(run, argv);

/** Only the flags that were given. */
function given(...argv: string[]): Record<string, unknown> {
  const { flags } = parse(...argv);
  const isGiven = ([, value]: [string, unknown]) =>
    value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0);
  // On without being given.
  const { 'sig-proxy': _, ...rest } = flags as Record<string, unknown>;
  return Object.fromEntries(Object.entries(rest).filter(isGiven));
}

function refusal(...argv: string[]): { code: string; message: string; hint: string } {
  try {
    parse(...argv);
  } catch (error) {
    return error as never;
  }
  return assert.fail(`${argv.join(' ')} was accepted`);
}

describe('grammar of run', () => {
  const workloads: [string[], string[]][] = [
    [['IMG', 'ls', '-la', '/'], []],
    [['IMG', 'env', '-u', 'X', 'true'], []],
    [['IMG', 'sh', '-c', 'echo $0; exit 3'], []],
    [['IMG', '--rm', '-e', 'A=1', '--help'], []],
    [['IMG', 'true', '--'], []],
    [['IMG', '-'], []],
    [['IMG', ''], []],
    [['IMG'], []],
  ];
  for (const [args] of workloads) {
    it(`leaves all from the image on alone: ${args.join(' ')}`, () => {
      assert.deepEqual(parse(...args).args, args);
      assert.deepEqual(parse('--', ...args).args, args);
      assert.deepEqual(parse('--rm', '-e', 'A=1', ...args).args, args);
      assert.deepEqual(parse('--rm', '-e', 'A=1', '--', ...args).args, args);
      assert.deepEqual(given('--rm', '-e', 'A=1', ...args), { rm: true, env: ['A=1'] });
    });
  }

  it("takes the first word that is no option as the image, also '-'", () => {
    assert.deepEqual(parse('--rm', '-', 'x').args, ['-', 'x']);
  });

  it("leaves a '--' after the image to the workload", () => {
    assert.deepEqual(parse('IMG', '--', 'ls').args, ['IMG', '--', 'ls']);
  });

  const spellings: [string[], Record<string, unknown>][] = [
    [['-it'], { interactive: true, tty: true }],
    [['-i', '-t'], { interactive: true, tty: true }],
    [['-ite', 'A=1'], { interactive: true, tty: true, env: ['A=1'] }],
    [['-iteA=1'], { interactive: true, tty: true, env: ['A=1'] }],
    [['-e=A=1'], { env: ['A=1'] }],
    [['-e', 'A=1', '-e', 'B=2', '--env', 'C=', '--env=D=4=5'], { env: ['A=1', 'B=2', 'C=', 'D=4=5'] }],
    [['-e', '-i'], { env: ['-i'] }],
    [['--env', '--rm'], { env: ['--rm'] }],
    [['-e', '--'], { env: ['--'] }],
    [['-m512m'], { memory: 536_870_912 }],
    [['-m', '512m'], { memory: 536_870_912 }],
    [['-m=512m'], { memory: 536_870_912 }],
    [['--memory=1g'], { memory: 1_073_741_824 }],
    [['-m1g', '-m2g'], { memory: 2_147_483_648 }],
    [['--name=web'], { name: 'web' }],
    [['--name', 'web'], { name: 'web' }],
    [['--name', 'a', '--name', 'b'], { name: 'b' }],
    [['--rm=false'], {}],
    [['--rm=F'], {}],
    [['--rm=1'], { rm: true }],
    [['--rm', '--rm=false'], {}],
    [['--rm=false', '--rm'], { rm: true }],
    [['-i=false'], {}],
    [['-it=false'], { interactive: true }],
    [['--entrypoint='], { entrypoint: '' }],
    [['--entrypoint', ''], { entrypoint: '' }],
    [['-h', 'web'], { hostname: 'web' }],
    [['-w/tmp', '-u1000:100'], { workdir: '/tmp', user: '1000:100' }],
    [['--cpus', '1.5'], { cpus: 1_500_000_000 }],
    [['--timeout', '1m30s'], { timeout: 90_000 }],
    [
      ['-l', 'a=b', '--label=c'],
      {
        label: [
          ['a', 'b'],
          ['c', ''],
        ],
      },
    ],
    [['--stop-signal=INT', '--backend', 'qemu', '--trace', 'f'], { 'stop-signal': 'INT', backend: 'qemu', trace: 'f' }],
    [['--env-file', 'a', '--env-file=b'], { 'env-file': ['a', 'b'] }],
  ];
  for (const [argv, flags] of spellings) {
    it(`reads ${argv.join(' ')}`, () => {
      assert.deepEqual(given(...argv, 'IMG', 'x'), flags);
      assert.deepEqual(parse(...argv, 'IMG', 'x').args, ['IMG', 'x']);
    });
  }

  const refusals: [string[], RegExp][] = [
    [['--foo', 'IMG'], /^unknown flag: --foo$/],
    [['--foo=1', 'IMG'], /^unknown flag: --foo$/],
    [['-z', 'IMG'], /^unknown shorthand flag: 'z' in -z$/],
    [['-itz', 'IMG'], /^unknown shorthand flag: 'z' in -itz$/],
    [['--na', 'IMG'], /^unknown flag: --na$/],
    [['--constructor', 'IMG'], /^unknown flag: --constructor$/],
    [['--name'], /^flag needs an argument: --name$/],
    [['-e'], /^flag needs an argument: 'e' in -e$/],
    [['-ite'], /^flag needs an argument: 'e' in -ite$/],
    [['--=x'], /^bad flag syntax: --=x$/],
    [['---x'], /^bad flag syntax: ---x$/],
    [['--rm=maybe', 'IMG'], /^invalid argument "maybe" for "--rm" flag: it is neither true nor false$/],
    [['-i=x', 'IMG'], /^invalid argument "x" for "-i, --interactive" flag/],
    [['-m', '12q', 'IMG'], /^invalid argument "12q" for "-m, --memory" flag: invalid size: '12q'$/],
    [['--cpus', 'x', 'IMG'], /^invalid argument "x" for "--cpus" flag/],
    [['-e', '=x', 'IMG'], /invalid environment variable: =x$/],
    [['--name=', 'IMG'], /^invalid argument "" for "--name" flag: it is empty$/],
    [['-l', '=x', 'IMG'], /a label needs a name$/],
    [['-p', 'x:80', 'IMG'], /^invalid argument "x:80" for "-p, --publish" flag: invalid port of the host: x$/],
    [['--net=host', 'IMG'], /^invalid argument "host" for "--network" flag: a box has a kernel of its own/],
    [['--net'], /^flag needs an argument: --net$/],
  ];
  for (const [argv, message] of refusals) {
    it(`refuses ${argv.join(' ')}`, () => {
      const error = refusal(...argv);
      assert.equal(error.code, 'INVALID_ARGUMENT');
      assert.match(error.message, message);
      assert.match(error.hint, /a3s-box run --help/);
    });
  }

  const unsupported: [string[], RegExp][] = [
    [['--volume-driver=nfs', 'IMG'], /^--volume-driver is not supported: volumes are/],
    [['-P', 'IMG'], /^-P, --publish-all is not supported/],
    [['-ditP', 'IMG'], /^-P, --publish-all is not supported/],
    [['--userns=host', 'IMG'], /^--userns is not supported: a box has a kernel of its own/],
    [['--network-alias', 'a', 'IMG'], /^--network-alias is not supported/],
    [['--gpus=all', 'IMG'], /^--gpus is not supported: devices of the host/],
  ];
  for (const [argv, message] of unsupported) {
    it(`refuses ${argv.join(' ')} by name, with the reason`, () => {
      const error = refusal(...argv);
      assert.equal(error.code, 'UNSUPPORTED');
      assert.match(error.message, message);
    });
  }

  it('is asked for help before the image only', () => {
    assert.equal(parse('--help').help, true);
    assert.equal(parse('--rm', '--help', 'IMG').help, true);
    assert.equal(parse('IMG', '--help').help, false);
    assert.equal(parse('--', 'IMG', '--help').help, false);
    assert.equal(parse('-e', '--help', 'IMG').help, false);
  });
});

describe('grammar of exec', () => {
  it("leaves all from the box on to the command's", () => {
    const { flags, args } = parseFlags(exec, ['-it', '-e', 'A=1', 'web', 'ls', '-la']);
    assert.deepEqual(args, ['web', 'ls', '-la']);
    assert.equal(flags.tty, true);
    assert.deepEqual(flags.env, ['A=1']);
  });

  it('knows -d, and refuses what only run takes', () => {
    assert.equal(parseFlags(exec, ['-d', 'web', 'x']).flags.detach, true);
    assert.throws(() => parseFlags(exec, ['--rm', 'web', 'x']), { message: 'unknown flag: --rm' });
    assert.throws(() => parseFlags(exec, ['--read-only', 'web', 'x']), { message: 'unknown flag: --read-only' });
  });
});

describe('grammar of other commands', () => {
  it('finds flags after arguments too, until --', () => {
    assert.deepEqual(parseFlags(info, ['a', '--json', 'b']), {
      flags: { json: true, format: undefined },
      args: ['a', 'b'],
      help: false,
    });
    assert.deepEqual(parseFlags(info, ['--', '--json']), {
      flags: { json: false, format: undefined },
      args: ['--json'],
      help: false,
    });
  });

  it('knows other spellings of a flag', () => {
    for (const argv of [['-t', '3'], ['--time', '3'], ['--time=3'], ['--timeout', '1', '--time', '3']]) {
      assert.deepEqual(parseFlags(stop, [...argv, 'web']), {
        flags: { timeout: 3000, signal: undefined },
        args: ['web'],
        help: false,
      });
    }
  });

  it('says of a value that is not supported what is', () => {
    assert.throws(() => parse('--storage-opt', 'inodes=5', 'IMG'), {
      code: 'UNSUPPORTED',
      message: /invalid argument "inodes=5" for "--storage-opt" flag: storage option 'inodes' is not supported/,
      hint: 'there is size=SIZE',
    });
    assert.throws(() => parse('-m', 'x', 'IMG'), { code: 'INVALID_ARGUMENT', hint: /run --help/ });
  });

  it('takes -h as help where it means nothing else', () => {
    assert.equal(parseFlags(info, ['-h']).help, true);
  });
});

describe('grammar, for any command line', () => {
  const word = fc.oneof(
    fc.constantFrom(
      '-i',
      '-t',
      '-it',
      '--rm',
      '-e',
      '--env',
      '-m1g',
      '--',
      '--name',
      '-',
      '--help',
      '-u',
      'IMG',
      '-ite',
    ),
    fc.string(),
  );

  it("ends in a result or in a BoxError, and never loses a workload's word", () => {
    fc.assert(
      fc.property(fc.array(word), fc.array(fc.string()), (before, workload) => {
        try {
          const { args, help } = parse(...before, '--rm', 'IMG', ...workload);
          if (help) return;
          // Whatever came before, what was taken as arguments is an unbroken tail of the line.
          assert.deepEqual([...before, '--rm', 'IMG', ...workload].slice(-args.length || Infinity), args);
        } catch (error) {
          assert.ok(['INVALID_ARGUMENT', 'UNSUPPORTED'].includes((error as { code: string }).code), String(error));
        }
      }),
    );
  });

  it('reads any value in any spelling the same', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (value) => {
        const expected = { user: value };
        assert.deepEqual(given('--user', value, 'IMG'), expected);
        assert.deepEqual(given(`--user=${value}`, 'IMG'), expected);
        assert.deepEqual(given('-u', value, 'IMG'), expected);
        assert.deepEqual(given('-itu', value, 'IMG'), { ...expected, interactive: true, tty: true });
        if (!value.startsWith('=')) assert.deepEqual(given(`-u${value}`, 'IMG'), expected);
      }),
    );
  });
});
