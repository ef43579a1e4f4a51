import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepareHome } from '../../dist/client/home.js';
import { accessList, type SystemCommand } from '../../dist/platform/access-list.js';
import { modeBits } from '../../dist/platform/mode-bits.js';
import { windowsWith } from '../../dist/platform/windows.js';
import { HomeLayout } from '../../dist/store/home-layout.js';

const ME = 'S-1-5-21-1111-2222-3333-1001';
const OTHER = 'S-1-5-21-1111-2222-3333-1002';

describe('access rights', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'acc-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  describe('by mode bits', () => {
    it('let others in where any bit of theirs is set', () => {
      for (const mode of [0o701, 0o710, 0o740, 0o755]) {
        chmodSync(directory, mode);
        assert.equal(modeBits.letsOthersIn(directory), true, mode.toString(8));
      }
      modeBits.keepOthersOut(directory);
      assert.equal(statSync(directory).mode & 0o777, 0o700);
      assert.equal(modeBits.letsOthersIn(directory), false);
      assert.equal(modeBits.foreignOwner(directory), undefined);
    });
  });

  describe('by access control list', () => {
    const calls: (readonly string[])[] = [];
    /** The two programs, on a file of this owner with this list. */
    const windows =
      (entries: string, owner = ME): SystemCommand =>
      (program, args) => {
        assert.match(program, /^C:\\Windows\\System32\\/);
        if (!program.endsWith('powershell.exe')) {
          calls.push([program.split('\\').at(-1) ?? '', ...args]);
          return 'processed file\r\n';
        }
        const script = Buffer.from(args.at(-1) ?? '', 'base64').toString('utf16le');
        calls.push(['powershell.exe', script]);
        return `${ME}\r\nO:${owner}G:S-1-5-21-1-2-3-513D:PAI${entries}\r\n`;
      };
    const letsOthersIn = (entries: string): boolean => accessList(windows(entries)).letsOthersIn(directory);
    beforeEach(() => calls.splice(0));

    it('keep others out with entries of the user, the system and the administrators alone', () => {
      assert.equal(letsOthersIn(`(A;OICI;FA;;;${ME})(A;OICI;FA;;;SY)(A;OICIID;FA;;;BA)(A;OICIIO;GA;;;CO)`), false);
      assert.equal(letsOthersIn(`(A;OICI;FA;;;${ME})(D;;FA;;;WD)`), false);
    });

    it('let others in with any other entry that allows something', () => {
      for (const entry of [
        '(A;;FR;;;WD)',
        '(A;ID;FA;;;BU)',
        '(A;;0x1200a9;;;AU)',
        `(A;;FA;;;${OTHER})`,
        '(XA;;FX;;;S-1-1-0;(@User.x))',
      ]) {
        assert.equal(letsOthersIn(`(A;OICI;FA;;;${ME})${entry}`), true, entry);
      }
    });

    it('let others in without a list', () => assert.equal(letsOthersIn('NO_ACCESS_CONTROL'), true));

    it('are taken away with what was inherited, and given to the user and the system, below too', () => {
      accessList(windows('')).keepOthersOut(directory);
      const icacls = calls.find(([program]) => program === 'icacls.exe');
      const granted = [`*${ME}:(OI)(CI)F`, '*S-1-5-18:(OI)(CI)F'];
      assert.deepEqual(icacls, ['icacls.exe', directory, '/inheritance:r', '/grant:r', ...granted]);
    });

    it('fail closed where the system does not tell', () => {
      for (const told of ['', `${ME}\r\n`, `me\r\nO:${ME}D:(A;;FA;;;SY)`, `${ME}\r\nD:(A;;FA;;;SY)`]) {
        const access = accessList(() => told);
        for (const ask of [access.letsOthersIn, access.letsOthersWrite, access.foreignOwner, access.keepOthersOut]) {
          assert.throws(() => ask(directory), { code: 'HOME_UNUSABLE' });
        }
      }
    });

    it('know whose a file is', () => {
      const foreignOwner = (owner: string) => accessList(windows('', owner)).foreignOwner(directory);
      for (const owner of [ME, 'BA', 'SY']) assert.equal(foreignOwner(owner), undefined);
      for (const owner of [OTHER, 'LA', 'BU']) assert.match(foreignOwner(owner) ?? '', new RegExp(owner));
    });

    it('tell reading from writing, of others', () => {
      const writes = (entries: string, owner = ME): boolean => accessList(windows(entries, owner)).letsOthersWrite('x');
      for (const rights of ['FR', 'FRFX', 'GR', '0x1200a9', '0x120089']) {
        assert.equal(writes(`(A;;FA;;;BA)(A;;${rights};;;BU)`), false, rights);
      }
      for (const rights of ['FA', 'FW', 'FRFW', 'GA', 'WD', 'WO', '0x1301bf', '0x100116', '']) {
        assert.equal(writes(`(A;;${rights};;;BU)`), true, rights);
      }
      // Who owns it may give himself any right.
      assert.equal(writes('(A;;FR;;;WD)', OTHER), true);
    });

    it('are asked for any path, whatever quotation marks it has', () => {
      accessList(windows('')).letsOthersIn("C:\\it's \u2019; Remove-Item x");
      assert.ok(calls[0]?.[1]?.includes("-LiteralPath 'C:\\it''s \u2019\u2019; Remove-Item x')"), calls[0]?.[1]);
    });

    it('decide over a home: an empty one is closed to others, one with files is refused', () => {
      const open = windowsWith(windows(`(A;;FA;;;${ME})(A;;FR;;;WD)`));
      prepareHome(new HomeLayout(directory, open));
      assert.ok(calls.some((call) => call.includes('/inheritance:r')));
      writeFileSync(join(directory, 'file'), '');
      assert.throws(() => prepareHome(new HomeLayout(directory, open)), { code: 'HOME_UNUSABLE', hint: /icacls "/ });
    });
  });
});
