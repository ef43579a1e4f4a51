import assert from 'node:assert/strict';
import { readDockerfile, showFaults } from '../../dist/index.js';

type Read = Extract<ReturnType<typeof readDockerfile>, { kind: 'dockerfile' }>['dockerfile'];

function read(text: string): Read {
  const reading = readDockerfile(text);
  if (reading.kind === 'faults') assert.fail(showFaults('Dockerfile', text, reading.faults));
  return reading.dockerfile;
}

/** The instructions of a stage with this text behind its FROM. */
function instructions(text: string) {
  return read(`FROM scratch\n${text}`).stages[0]?.instructions ?? [];
}

function only(text: string) {
  const [instruction, ...more] = instructions(text);
  assert.ok(instruction && more.length === 0, text);
  return instruction;
}

const sources = (words: readonly { readonly source: string }[]) => words.map(({ source }) => source);

describe('reading a Dockerfile', () => {
  it('finds stages, their names and platforms, and what stands before them', () => {
    const { globals, stages } = read(
      '# syntax=docker/dockerfile:1\nARG V=12 W\nFROM --platform=$BUILDPLATFORM debian:$V AS Build\nRUN true\nfrom build\nFROM scratch\n',
    );
    assert.deepEqual(
      globals[0]?.names.map(({ name, value }) => [name, value?.source]),
      [
        ['V', '12'],
        ['W', undefined],
      ],
    );
    assert.deepEqual(
      stages.map(({ from, instructions: steps }) => [
        from.image.source,
        from.name,
        from.platform?.source,
        steps.length,
      ]),
      [
        ['debian:$V', 'build', '$BUILDPLATFORM', 1],
        ['build', undefined, undefined, 0],
        ['scratch', undefined, undefined, 0],
      ],
    );
  });

  it('joins continued lines, without comments and empty ones', () => {
    const text = 'RUN one && \\\n  # a comment\n\n  two \\  \n#x\n   three # no comment\nUSER a';
    const [run, user] = instructions(text);
    assert.ok(run?.kind === 'run' && user?.kind === 'user');
    assert.deepEqual(run.command, { form: 'shell', line: 'one &&   two    three # no comment' });
    assert.deepEqual(user.place, { line: 8, column: 1 });
  });

  it('takes another escape character, line ends of DOS and a byte order mark', () => {
    const { stages } = read('\ufeff# escape=`\r\nFROM a\r\nCOPY a `\r\n  C:\\dir\r\n');
    const [copy] = stages[0]?.instructions ?? [];
    assert.ok(copy?.kind === 'copy');
    assert.deepEqual([sources(copy.sources), copy.target.source], [['a'], 'C:\\dir']);
  });

  it('tells the exec form from the shell form', () => {
    const form = (text: string) => {
      const instruction = only(text);
      return instruction.kind === 'cmd' || instruction.kind === 'entrypoint' || instruction.kind === 'run'
        ? instruction.command
        : undefined;
    };
    assert.deepEqual(form('CMD ["a", "b \\"c\\""]'), { form: 'exec', words: ['a', 'b "c"'] });
    assert.deepEqual(form("CMD ['a']"), { form: 'shell', line: "['a']" });
    assert.deepEqual(form('ENTRYPOINT [ -f x ]'), { form: 'shell', line: '[ -f x ]' });
    assert.deepEqual(form('RUN [1]'), { form: 'shell', line: '[1]' });
    assert.deepEqual(form('CMD'), { form: 'shell', line: '' });
  });

  it('reads pairs with quotes, and the old form of ENV and LABEL', () => {
    const pairs = (text: string) => {
      const instruction = only(text);
      assert.ok(instruction.kind === 'env' || instruction.kind === 'label');
      return instruction.pairs.map(({ key, value }) => [key.source, value.source]);
    };
    assert.deepEqual(pairs('ENV A=b C="d e" \\\n E=f\\ g G='), [
      ['A', 'b'],
      ['C', '"d e"'],
      ['E', 'f\\ g'],
      ['G', ''],
    ]);
    assert.deepEqual(pairs('ENV A  several   words'), [['A', 'several   words']]);
    assert.deepEqual(pairs('ENV A <<EOF'), [['A', '<<EOF']]);
    assert.deepEqual(pairs('LABEL "com.example.a b"="c=d"'), [['"com.example.a b"', '"c=d"']]);
  });

  it('reads here-documents as files and as a program', () => {
    const [copy, run, cat] = instructions(
      "COPY <<a.txt <<-'b.txt' /dst/\nit's $X\na.txt\n\t$Y\n\tb.txt\nRUN <<EOF\n#!/bin/sh\nx\nEOF\nRUN cat <<-EOF && true\n\tz\n\tEOF\n",
    );
    assert.ok(copy?.kind === 'copy' && run?.kind === 'run' && cat?.kind === 'run');
    assert.deepEqual(copy.files, [
      { name: 'a.txt', content: { parts: ["it's ", { name: 'X' }, '\n'] } },
      { name: 'b.txt', content: { parts: ['$Y\n'] } },
    ]);
    assert.deepEqual([copy.sources, copy.target.source], [[], '/dst/']);
    assert.equal(run.script, '#!/bin/sh\nx\n');
    assert.deepEqual([cat.script, cat.command], [undefined, { form: 'shell', line: 'cat <<-EOF && true\n\tz\n\tEOF' }]);
  });

  it('reads options of RUN, COPY, ADD and HEALTHCHECK', () => {
    const run = only('RUN --mount=type=cache,target=/c,id=$N,ro --mount=type=secret,id=s,required --network=none make');
    assert.ok(run.kind === 'run');
    assert.deepEqual(
      run.mounts.map(({ type, options }) => [type, [...options].map(([name, word]) => [name, word.source])]),
      [
        [
          'cache',
          [
            ['target', '/c'],
            ['id', '$N'],
            ['readonly', 'true'],
          ],
        ],
        [
          'secret',
          [
            ['id', 's'],
            ['required', 'true'],
          ],
        ],
      ],
    );
    assert.deepEqual([run.network, run.command], ['none', { form: 'shell', line: 'make' }]);
    const copy = only('COPY --from=0 --chown=1:2 --chmod=755 --link --parents --exclude=*.md --exclude=x a "b" c/');
    assert.ok(copy.kind === 'copy');
    assert.deepEqual(
      [copy.from?.source, copy.owner?.source, copy.mode?.source, copy.link, copy.parents, sources(copy.exclude)],
      ['0', '1:2', '755', true, true, ['*.md', 'x']],
    );
    const add = only('ADD --checksum=sha256:00 --unpack=false https://example.com/a.tar /');
    assert.ok(add.kind === 'add');
    assert.deepEqual([add.checksum?.source, add.unpack], ['sha256:00', false]);
    const check = only('HEALTHCHECK --interval=5s --retries=2 CMD ["a"]');
    assert.ok(check.kind === 'healthcheck');
    assert.deepEqual([check.command, check.options.interval?.source], [{ form: 'exec', words: ['a'] }, '5s']);
    const none = only('HEALTHCHECK NONE');
    assert.ok(none.kind === 'healthcheck' && none.command === undefined);
  });

  it('reads the other instructions', () => {
    const kinds = instructions(
      'WORKDIR a b\nUSER u:g\nEXPOSE 80 443/tcp\nVOLUME ["/a b"]\nVOLUME /x /y\nSTOPSIGNAL 9\nSHELL ["a"]\nMAINTAINER Me\nONBUILD RUN x\nARG A',
    ).map(({ kind }) => kind);
    assert.deepEqual(kinds, [
      ...['workdir', 'user', 'expose', 'volume', 'volume', 'stopsignal', 'shell', 'maintainer', 'onbuild', 'arg'],
    ]);
  });
});

describe('what is wrong with a Dockerfile', () => {
  const cases: readonly (readonly [text: string, line: number, column: number, message: RegExp])[] = [
    ['', 1, 1, /no FROM/],
    ['RUN x\nFROM a', 1, 1, /before the first FROM/],
    ['FROM a\nRUN x\ry', 2, 6, /carriage return/],
    ['FROM', 1, 1, /needs an image/],
    ['FROM a b', 1, 8, /followed by an image and perhaps AS/],
    ['FROM a AS 1b', 1, 11, /no name of a stage/],
    ['FROM --plat=x a', 1, 6, /no option --plat; known are --platform/],
    ['FROM a\n  RNU x', 2, 3, /no instruction RNU; there are FROM, RUN, /],
    ['FROM a\nINCLUDE x', 2, 1, /no instruction INCLUDE;/],
    ['FROM a\nRUN', 2, 1, /needs a command/],
    ['FROM a\nRUN --network=host x', 2, 15, /default or none, not host/],
    ['FROM a\nRUN --mount=type=volume,target=/x y', 2, 13, /type=volume is not known/],
    ['FROM a\nRUN --mount=type=tmpfs,sise=1,target=/x y', 2, 29, /no option sise/],
    ['FROM a\nRUN --constructor=x y', 2, 5, /no option --constructor/],
    ['FROM a\nRUN --mount=type=constructor,target=/x y', 2, 13, /type=constructor is not known/],
    ['FROM a\nRUN --mount=type=tmpfs,toString=1,target=/x y', 2, 33, /no option toString/],
    ['FROM a\nRUN --mount=type=cache y', 2, 13, /needs a target/],
    ['FROM a\nRUN --security=insecure y', 2, 16, /not supported/],
    ['FROM a\nCOPY x', 2, 1, /needs a source and a target/],
    ['FROM a\nCOPY --link=yes a b', 2, 13, /true or false, not yes/],
    ['FROM a\nCOPY --from=a --from=b x y', 2, 15, /--from twice/],
    ['FROM a\nCOPY --chown x y', 2, 6, /--chown needs a value/],
    ['FROM a\nCOPY --chmod=u+x x y', 2, 14, /octal mode/],
    ['FROM a\nADD git@example.com:a.git /x', 2, 5, /git repository/],
    ['FROM a\nADD --checksum=sha256:0 a /x', 2, 16, /sources with an address/],
    ['FROM a\nENV', 2, 1, /needs a name and a value/],
    ['FROM a\nENV A', 2, 5, /A has no value/],
    ['FROM a\nENV A=1 B', 2, 9, /B has no value/],
    ['FROM a\nENV =1', 2, 5, /without a name/],
    ['FROM a\nENV A="x \\\n  y', 2, 7, /double quote is not closed/],
    ['FROM a\nENV A=1 \\\n    B=${C', 3, 7, /\$\{ is not closed/],
    ['FROM a\nARG "A"=1', 2, 5, /no name of a variable/],
    ['FROM a\nSHELL sh -c', 2, 7, /JSON list/],
    ['FROM a\nVOLUME []', 2, 8, /needs a directory/],
    ['FROM a\nEXPOSE', 2, 1, /needs a port/],
    ['FROM a\nUSER --x y', 2, 6, /it has no options/],
    ['FROM a\nHEALTHCHECK curl x', 2, 13, /CMD and a command, or by NONE/],
    ['FROM a\nHEALTHCHECK CMD', 2, 13, /needs a command/],
    ['FROM a\nHEALTHCHECK --retries=1 NONE', 2, 1, /nothing beside it/],
    ['FROM a\nONBUILD ONBUILD RUN x', 2, 9, /cannot be followed by ONBUILD/],
    ['FROM a\nONBUILD COPY x', 2, 9, /needs a source and a target/],
    ['FROM a\nCOPY <<-E /d\n\t\tx\n\t\ty${Z\nE', 4, 4, /unknown modifier/],
    ['FROM a\nRUN <<EOF\nx', 2, 5, /not ended by EOF/],
    ['FROM a\nRUN a \\\\\nRUN b', 2, 7, /ends with \\\\/],
  ];
  for (const [text, line, column, message] of cases) {
    it(`is told of ${JSON.stringify(text)}`, () => {
      const reading = readDockerfile(text);
      assert.ok(reading.kind === 'faults');
      assert.deepEqual(
        reading.faults.map((fault) => [fault.line, fault.column, message.test(fault.message)]),
        [[line, column, true]],
        JSON.stringify(reading.faults),
      );
    });
  }

  it('is all told at once, with a caret', () => {
    const text = 'FROM a\nRUN --netwrok=none x\n\tCOPY --chwon=1 a b\n';
    const reading = readDockerfile(text);
    assert.ok(reading.kind === 'faults');
    assert.equal(
      showFaults('Dockerfile', text, reading.faults),
      [
        'Dockerfile:2:5: RUN has no option --netwrok; known are --mount, --network, --security',
        '2 | RUN --netwrok=none x',
        '  |     ^',
        'Dockerfile:3:7: COPY has no option --chwon; known are --chown, --chmod, --link, --exclude, --from, --parents',
        '3 | \tCOPY --chwon=1 a b',
        '  | \t     ^',
      ].join('\n'),
    );
  });
});
