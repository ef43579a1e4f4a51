import assert from 'node:assert/strict';
import { ListFormat } from '../../dist/format/list-format.js';
import { objectFormat, withGoNames } from '../../dist/format/object-format.js';

const options = {
  columns: '{{.ID}}\t{{.Name}}',
  headers: { ID: 'ID', Name: 'NAME', Label: (name: string) => name },
};
const rows = [
  { ID: '1', Name: 'web', Label: (name: string) => `${name}!` },
  { ID: '22', Name: 'database', Label: () => '' },
];
const print = (format: string, lines = rows) => new ListFormat(format, options).print(lines);

describe('--format of lists', () => {
  it('is a table without a template', () => {
    assert.equal(print(''), 'ID        NAME\n1         web\n22        database\n');
    assert.equal(print('table'), print(''));
    assert.equal(print('table', []), 'ID        NAME\n');
  });

  it('makes tables of other columns, with tabs as they are typed', () => {
    assert.equal(print('table {{.Name}}\\t{{upper .ID}}'), 'NAME       ID\nweb        1\ndatabase   22\n');
    assert.equal(print('table {{.Label "a"}}\t{{.ID}}', rows.slice(0, 1)), 'a         ID\na!        1\n');
  });

  it('fills a template in for each line', () => {
    assert.equal(print('{{.ID}}: {{.Name}}'), '1: web\n22: database\n');
    assert.equal(print('{{.ID}}\\n-'), '1\n-\n22\n-\n');
  });

  it('prints a JSON document a line', () => {
    assert.equal(print('json'), '{"ID":"1","Name":"web"}\n{"ID":"22","Name":"database"}\n');
    assert.equal(print('{{json .}}'), print('json'));
    assert.equal(print('json', []), '');
  });

  it('refuses a field that is not there though there is no line', () => {
    assert.throws(() => print('{{.Nope}}', []), { code: 'INVALID_ARGUMENT', hint: 'there are .ID, .Name, .Label' });
    assert.throws(() => print('table {{.Nope}}', []), { code: 'INVALID_ARGUMENT' });
  });

  for (const format of ['raw', 'pretty']) {
    it(`refuses ${format}`, () =>
      assert.throws(() => print(format), { message: `the format "${format}" is not supported` }));
  }
});

describe('--format of one thing', () => {
  it('is JSON on one line, or a template', () => {
    assert.equal(objectFormat('json')({ A: new Map([['b', 1n]]) }), '{"A":{"b":1}}\n');
    assert.equal(objectFormat('{{.A}}')({ A: 1 }), '1\n');
  });

  it('has names as Go has them', () => {
    assert.deepEqual(withGoNames({ aB: [{ c: null }], d: 1 }), { AB: [{ C: null }], D: 1 });
  });
});
