import assert from 'node:assert/strict';
import fc from 'fast-check';
import { quoted } from '../../dist/format/go-values.js';
import { Template } from '../../dist/format/template.js';
import { anyText } from '../../../test/support/any-text.ts';

const data = {
  Name: 'web',
  Count: 3,
  Big: 5n,
  Zero: 0,
  Yes: true,
  No: false,
  Nothing: null,
  Empty: '',
  Words: ['a', 'b', 'c'],
  None: [],
  State: { Status: 'running', Pid: 7 },
  Labels: new Map([
    ['b', '2'],
    ['a.b/c', '1'],
  ]),
  Ports: new Map<string, unknown>([['80/tcp', [{ HostIp: '::', HostPort: '8080' }]]]),
  Label: (name: string) => `<${name}>`,
};

describe('templates', () => {
  // What Go's text/template with Docker's functions prints for the same.
  const outputs: [template: string, output: string][] = [
    ['plain text', 'plain text'],
    ['{{.Name}}: {{.State.Status}}', 'web: running'],
    ['{{ .Count }}{{.Big}} {{.Yes}} {{.Nothing}}', '35 true <nil>'],
    ['{{.Words}} {{.State}} {{.Labels}}', '[a b c] {running 7} map[a.b/c:1 b:2]'],
    ['{{.Labels.b}} {{.Labels.x}} {{.Ports.x}}', '2 <no value> <no value>'],
    ['{{"a\\tb"}}{{`\\t`}} {{12}} {{-3}} {{true}}', 'a\tb\\t 12 -3 true'],
    ['a {{- .Name -}} b {{/* a comment */}}c', 'awebb c'],
    [
      '{{json .State}} {{json .Words}} {{json .Name}} {{json .Nothing}}',
      '{"Status":"running","Pid":7} ["a","b","c"] "web" null',
    ],
    ['{{json .Labels}}', '{"a.b/c":"1","b":"2"}'],
    ['{{upper .Name}} {{.Name | upper | lower}} {{title "old web-site"}}', 'WEB web Old Web-Site'],
    ['{{truncate .Name 2}} {{truncate .Name 9}} [{{pad .Name 1 2}}]', 'we web [ web  ]'],
    ['{{join .Words ","}} {{(split "x:y" ":")}} {{index (split "x:y" ":") 1}}', 'a,b,c [x y] y'],
    ['{{len .Words}} {{len .Name}} {{len .Labels}} {{len .None}}', '3 3 2 0'],
    ['{{index .Words 1}} {{index .Labels "b"}}{{index .Labels "no"}}', 'b 2'],
    ['{{(index (index .Ports "80/tcp") 0).HostPort}}', '8080'],
    [
      '{{eq .Name "web"}} {{eq .Count 1 2 3}} {{ne .Name "web"}} {{lt .Count 4}} {{ge .Name "x"}}',
      'true true false true false',
    ],
    ['{{and .Yes .Name}} {{and .Yes .Zero}} {{or .Empty .Name}} {{not .No}}', 'web 0 web true'],
    ['{{if .Name}}a{{else}}b{{end}}{{if .Empty}}a{{else}}b{{end}}{{if .None}}a{{end}}', 'ab'],
    ['{{if eq .Count 1}}one{{else if eq .Count 3}}three{{else}}many{{end}}', 'three'],
    ['{{range .Words}}<{{.}}>{{end}}{{range .None}}x{{else}}none{{end}}', '<a><b><c>none'],
    ['{{range $i, $word := .Words}}{{if $i}}, {{end}}{{$i}}={{$word}}{{end}}', '0=a, 1=b, 2=c'],
    ['{{range $name, $value := .Labels}}{{$name}}={{$value}};{{end}}', 'a.b/c=1;b=2;'],
    ['{{range $p, $ends := .Ports}}{{$p}}{{range $ends}} {{.HostIp}}{{$.Name}}{{end}}{{end}}', '80/tcp ::web'],
    ['{{with .State}}{{.Pid}} {{$.Name}}{{end}}{{with .Empty}}x{{else}}y{{end}}', '7 weby'],
    ['{{$x := .Name}}{{$x}}{{if .Yes}}{{$x = "y"}}{{end}}{{$x}}', 'weby'],
    ['{{print 1 2 "a" 3}} {{println "x" 1}}', '1 2a3 x 1\n'],
    [
      '{{printf "%s=%d %v %q %.2s|%5s|%-5s|%03d %t %%" "a" 1 .Words "b\\n" "long" "r" "l" 7 true}}',
      'a=1 [a b c] "b\\n" lo|    r|l    |007 true %',
    ],
    ['{{.Label "x.y"}} {{(.Label "z") | upper}} {{"q" | .Label}}', '<x.y> <Z> <q>'],
  ];
  for (const [template, output] of outputs) {
    it(template, () => assert.equal(new Template(template).execute(data), output));
  }

  it('read only as many arguments of and, or as they have to', () => {
    assert.equal(new Template('{{and .No .Nope}}{{or .Name .Nope}}').execute(data), 'falseweb');
  });

  const unreadable: [template: string, message: RegExp][] = [
    ['{{.Name', /unclosed action/],
    ['{{.Name "x}}', /unterminated string/],
    ['{{if .Name}}x', /\{\{if\}\} has no \{\{end\}\}/],
    ['{{if .Name}}x{{else}}', /\{\{if\}\} has no \{\{end\}\}/],
    ['{{end}}', /unexpected \{\{end\}\}/],
    ['{{else}}', /unexpected \{\{else\}\}/],
    ['{{}}', /missing value for command/],
    ['{{if}}x{{end}}', /missing value for if/],
    ['{{frob .Name}}', /function "frob" not defined/],
    ['{{define "x"}}{{end}}', /\{\{define\}\} is not supported/],
    ['{{range .Words}}{{break}}{{end}}', /\{\{break\}\} is not supported/],
    ['{{template "x"}}', /\{\{template\}\} is not supported/],
    ['{{$x}}', /undefined variable "\$x"/],
    ['{{if .Yes}}{{$x := 1}}{{end}}{{$x}}', /undefined variable "\$x"/],
    ['{{(.Name}}', /unclosed left parenthesis/],
    ['{{.Name)}}', /unexpected "\)"/],
    ['{{.Name!}}', /unexpected "!"/],
    ['{{"\\z"}}', /unknown escape/],
    ['{{range .Words}}{{else range .Words}}{{end}}', /unexpected "range" after else/],
    ['{{$a, $b := .Name}}', /two variables/],
  ];
  for (const [template, message] of unreadable) {
    it(`${template} is none`, () => {
      assert.throws(() => new Template(template), { code: 'INVALID_ARGUMENT', message });
    });
  }

  const wrong: [template: string, message: RegExp][] = [
    ['{{.Nope}}', /there is no field \.Nope$/],
    ['{{.State.Nope}}', /no field \.Nope/],
    ['{{.Name.Nope}}', /no field \.Nope in web/],
    ['{{.constructor}}', /no field \.constructor/],
    ['{{.Nothing.X}}', /no field \.X in <nil>/],
    ['{{.Name "x"}}', /\.Name takes no argument/],
    ['{{.Label}}', /\.Label takes 1 argument/],
    ['{{upper .Count}}', /upper of 3, which is no text/],
    ['{{join .Name ","}}', /join of web, which is no list/],
    ['{{index .Words 3}}', /out of range/],
    ['{{range .Name}}{{end}}', /range over web/],
    ['{{upper}}', /wrong number of arguments for upper/],
    ['{{upper "a" "b"}}', /wrong number of arguments for upper: 2/],
    ['{{eq .Name}}', /wrong number of arguments for eq/],
    ['{{eq .Name 1}}', /cannot be compared/],
    ['{{printf "%d" .Name}}', /%d is not supported for web/],
    ['{{printf "%s"}}', /no argument for %s/],
    ['{{printf "x" 1}}', /arguments too many/],
  ];
  for (const [template, message] of wrong) {
    it(`${template} cannot be filled in`, () => {
      assert.throws(() => new Template(template).execute(data), { code: 'INVALID_ARGUMENT', message });
    });
  }

  it('name the fields there are', () => {
    assert.throws(() => new Template('{{.X}}').execute({ A: 1, B: 2 }), { hint: 'there are .A, .B' });
  });

  it('leave any text without actions as it is, and end with an error or an output whatever is asked for', () => {
    const part = fc.constantFrom(
      '{{',
      '}}',
      ' ',
      '-',
      '.',
      '.A',
      '$',
      '$x',
      ':=',
      '|',
      '(',
      ')',
      '"',
      '`',
      'if',
      'else',
      'end',
      'range',
      'eq',
      '1',
      '\n',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 20 }), (parts) => {
        const template = parts.join('');
        if (!template.includes('{{')) assert.equal(new Template(template).execute({}), template);
        try {
          assert.equal(typeof new Template(template).execute({ A: ['x'] }), 'string');
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'INVALID_ARGUMENT', String(error));
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe('quoted text', () => {
  it('shows nothing that a terminal would obey', () => {
    assert.equal(
      quoted('a"b\\\n\x1b[31m\u{9b}\u{200b} é€\u{1f600}'),
      '"a\\"b\\\\\\n\\x1b[31m\\u009b\\u200b é€\u{1f600}"',
    );
    const control = /\p{C}/u;
    const holds = fc.property(anyText(20), (text) => !control.test(quoted(text)));
    fc.assert(holds, { numRuns: 50 });
  });
});
