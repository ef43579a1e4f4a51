import assert from 'node:assert/strict';
import { platformOf } from '../../dist/platform/host-platform.js';
import { layoutOf } from '../../dist/client/home.js';

const surroundings = (environment: Record<string, string>, userDirectory: string) => ({ environment, userDirectory });

describe('a platform', () => {
  const [linux, darwin, windows] = [platformOf('linux'), platformOf('darwin'), platformOf('win32')];

  it('is one of three', () => {
    assert.deepEqual([linux.name, darwin.name, windows.name], ['linux', 'darwin', 'windows']);
    assert.throws(() => platformOf('freebsd'), { code: 'UNSUPPORTED', message: /does not run on freebsd/ });
  });

  it('has a home for each user', () => {
    assert.equal(linux.defaultHome(surroundings({}, '/home/me')), '/home/me/.a3s-box');
    assert.equal(darwin.defaultHome(surroundings({}, '/Users/me')), '/Users/me/.a3s-box');
    const local = { LOCALAPPDATA: 'D:\\Local' };
    assert.equal(windows.defaultHome(surroundings(local, 'C:\\Users\\me')), 'D:\\Local\\a3s-box');
    assert.equal(windows.defaultHome(surroundings({}, 'C:\\Users\\me')), 'C:\\Users\\me\\AppData\\Local\\a3s-box');
  });

  it('has a place for the administrator’s distribution file', () => {
    assert.equal(linux.systemDistribution(surroundings({}, '')), '/etc/a3s-box/distribution.json');
    assert.match(darwin.systemDistribution(surroundings({}, '')), /^\/Library\/Application Support\/a3s-box\//);
    const all = { ProgramData: 'D:\\All' };
    assert.equal(windows.systemDistribution(surroundings(all, '')), 'D:\\All\\a3s-box\\distribution.json');
  });

  it('listens at Unix sockets, of at most as many bytes as the system takes', () => {
    for (const platform of [linux, darwin]) {
      assert.equal(platform.endpoint('/home/me/run/x.sock'), '/home/me/run/x.sock');
      assert.equal(platform.endpointsAreFiles, true);
    }
    const home = (bytes: number): string => `/${'h'.repeat(bytes - 1)}`;
    for (const [platform, limit] of [
      [linux, 73],
      [darwin, 69],
    ] as const) {
      assert.equal(layoutOf(home(limit), platform).root, home(limit));
      assert.throws(() => layoutOf(home(limit + 1), platform), {
        code: 'HOME_UNUSABLE',
        hint: new RegExp(`${limit} bytes`),
      });
    }
    assert.equal(layoutOf(home(200), windows).root, home(200));
  });

  it('listens at named pipes on Windows, one for each path', () => {
    const pipe = windows.endpoint('C:\\Users\\me\\run\\supervisor.sock');
    assert.match(pipe, /^\\\\\.\\pipe\\a3s-box-[0-9a-f]{32}-supervisor$/);
    assert.equal(windows.endpoint('c:\\users\\ME\\run\\.\\supervisor.sock').toLowerCase(), pipe);
    assert.notEqual(windows.endpoint('C:\\Users\\you\\run\\supervisor.sock'), pipe);
    assert.equal(windows.endpointsAreFiles, false);
  });
});
