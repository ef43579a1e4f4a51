import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { archive } from '../../plugins/erofs/test/support/tar-builder.ts';
import { connectProxy } from '../../plugins/images-oci/test/support/connect-proxy.ts';
import { dockerRegistry, USER, type DockerRegistry } from '../../plugins/images-oci/test/support/docker-registry.ts';
import { writeLayout } from '../../plugins/images-oci/test/support/oci-layout.ts';
import { needPrograms } from '../../plugins/images-oci/test/support/programs.ts';
import { testAuthority, type TestAuthority } from '../../plugins/images-oci/test/support/test-authority.ts';
import { BIN, BoxCli } from './support/box-cli.ts';

describe('registries that want TLS and a password', function () {
  this.timeout(300_000);
  let cli: BoxCli;
  let registry: DockerRegistry;
  let directory: string;
  let docker: string;
  let env: Record<string, string>;
  let authority: TestAuthority;

  before(async function () {
    needPrograms(this, 'docker-registry', 'skopeo', 'openssl');
    directory = mkdtempSync(join(tmpdir(), 'registries-'));
    docker = join(directory, 'docker');
    env = { DOCKER_CONFIG: docker };
    authority = testAuthority(directory);
    const tls = authority.issue('registry', ['IP:127.0.0.1', 'DNS:registry.invalid']);
    registry = await dockerRegistry(directory, { tls, password: true });
    writeLayout(join(directory, 'layout'), [{ tag: 'x', layers: [archive([{ name: 'a', data: Buffer.from('a') }])] }]);
    registry.push(join(directory, 'layout'), 'x', 'private/app:x');
    cli = await BoxCli.create();
    const unknown = await cli.run(['pull', `${registry.host}/private/app:x`], { env });
    assert.match(unknown.stderr, /certificate/);
    const certificates = join(cli.home, 'certs.d', registry.host);
    mkdirSync(certificates, { recursive: true });
    copyFileSync(authority.certificate, join(certificates, 'ca.crt'));
  });
  after(async () => {
    await cli?.[Symbol.asyncDispose]();
    await registry?.[Symbol.asyncDispose]();
    if (directory) rmSync(directory, { recursive: true });
  });

  const login = (password: string, ...more: string[]) =>
    cli.run(['login', '-u', USER.name, '--password-stdin', ...more, registry.host], { env, stdin: `${password}\n` });
  const pull = () => cli.run(['pull', '-q', `${registry.host}/private/app:x`], { env });

  it('say so, and take nobody in with a wrong password', async () => {
    const anonymous = await pull();
    assert.equal(anonymous.code, 125);
    assert.match(anonymous.stderr, /a3s-box login 127\.0\.0\.1:\d+/);
    const wrong = await login('wrong');
    assert.deepEqual([wrong.code, /user name and password/.test(wrong.stderr)], [125, true], wrong.stderr);
    assert.equal((await pull()).code, 125);
  });

  it('let in who logged in, until they log out [login --username, login --password-stdin]', async () => {
    const done = await login(USER.password);
    assert.deepEqual([done.code, done.stdout.toString()], [0, 'Login Succeeded\n'], done.stderr);
    const file = join(docker, 'config.json');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(docker), ['config.json']);
    const pulled = await pull();
    assert.equal(pulled.code, 0, pulled.stderr);
    assert.equal((await cli.run(['rmi', `${registry.host}/private/app:x`])).code, 0);
    const created = await cli.run(['create', '-q', `${registry.host}/private/app:x`, 'true'], { env });
    assert.equal(created.code, 0, created.stderr);
    const again = await cli.run(['login', registry.host], { env });
    assert.match(again.stderr, /existing credentials of tester/);
    const out = await cli.run(['logout', registry.host], { env });
    assert.match(out.stdout.toString(), /^Removing login credentials for 127/);
    assert.match((await cli.run(['logout', registry.host], { env })).stdout.toString(), /^Not logged in/);
    assert.equal((await pull()).code, 125);
  });

  it('are logged in to through a credential helper where there is one', async () => {
    const bin = join(directory, 'bin');
    mkdirSync(bin);
    const helper = join(bin, 'docker-credential-test');
    writeFileSync(
      helper,
      `#!/bin/sh
case $1 in
store) cat > ${directory}/kept ;;
get) read server; grep -qs "$server" ${directory}/kept && cat ${directory}/kept || { echo 'credentials not found in native keychain'; exit 1; } ;;
erase) rm ${directory}/kept ;;
esac
`,
    );
    chmodSync(helper, 0o755);
    const file = join(docker, 'config.json');
    writeFileSync(file, JSON.stringify({ credHelpers: { [registry.host]: 'test' }, other: 1 }));
    env = { ...env, PATH: `${bin}:${process.env['PATH']}` };
    assert.equal((await login(USER.password)).code, 0);
    assert.deepEqual(JSON.parse(readFileSync(join(directory, 'kept'), 'utf8')), {
      ServerURL: registry.host,
      Username: USER.name,
      Secret: USER.password,
    });
    assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), {
      credHelpers: { [registry.host]: 'test' },
      other: 1,
    });
    assert.equal((await pull()).code, 0);
    assert.equal((await cli.run(['logout', registry.host], { env })).code, 0);
    assert.equal((await pull()).code, 125);
    writeFileSync(file, JSON.stringify({ credsStore: 'no-such' }));
    assert.match((await pull()).stderr, /docker-credential-no-such/);
    rmSync(file);
  });

  it('are logged in to on a terminal, which does not show the password', async () => {
    const child = spawn('script', ['-qefc', `${BIN} login ${registry.host}`, '/dev/null'], {
      env: { ...process.env, ...env, A3S_BOX_HOME: cli.home, SHELL: '/bin/sh' },
    });
    let shown = '';
    const answers = new Map([
      ['Username: ', USER.name],
      ['Password: ', USER.password],
    ]);
    child.stdout.on('data', (data: Buffer) => {
      shown += String(data);
      for (const [question, answer] of answers) {
        if (!shown.includes(question)) continue;
        answers.delete(question);
        child.stdin.write(`${answer}\r`);
      }
    });
    const [code] = await once(child, 'close');
    assert.deepEqual([code, /Login Succeeded/.test(shown), shown.includes(USER.password)], [0, true, false], shown);
    assert.equal((await cli.run(['logout', registry.host], { env })).code, 0);
  });

  it('are reached through the proxy that the environment names, as the home says', async () => {
    await using proxy = await connectProxy(Number(registry.host.split(':')[1]));
    await using other = await BoxCli.create();
    copyFileSync(authority.certificate, join(other.home, 'ca.pem'));
    const registries = { version: 1, registries: { 'registry.invalid': { caFile: 'ca.pem' } } };
    writeFileSync(join(other.home, 'registries.json'), JSON.stringify(registries));
    // Nobody can look this name up.
    const proxied = { ...env, HTTPS_PROXY: proxy.url };
    const options = { env: proxied, stdin: USER.password };
    const login = await other.run(['login', '-u', USER.name, '--password-stdin', 'registry.invalid'], options);
    assert.equal(login.code, 0, login.stderr);
    const pulled = await other.run(['pull', '-q', 'registry.invalid/private/app:x'], { env: proxied });
    assert.equal(pulled.code, 0, pulled.stderr);
    assert.ok(proxy.asked.length > 0 && proxy.asked.every((target) => target === 'registry.invalid:443'));
    assert.equal((await other.run(['logout', 'registry.invalid'], { env })).code, 0);
    writeFileSync(join(other.home, 'registries.json'), '{"version": 1, "registrys": {}}');
    const refused = await other.run(['pull', '-q', 'registry.invalid/private/app:x'], { env: proxied });
    assert.match(refused.stderr, /registries\.json.*registrys/);
  });

  it('take no password from a command line, nor without being asked', async () => {
    const inArguments = await cli.run(['login', '-u', 'x', '-p', 'y', registry.host], { env });
    assert.deepEqual([inArguments.code, /--password-stdin/.test(inArguments.stderr)], [125, true], inArguments.stderr);
    const noTerminal = await cli.run(['login', '-u', 'x', registry.host], { env });
    assert.match(noTerminal.stderr, /no terminal/);
  });

  it('are not spoken to without TLS unless they are on this machine [login --plain-http]', async () => {
    const other = await cli.run(['login', '--plain-http', '-u', 'x', '--password-stdin', 'registry.example'], {
      env,
      stdin: 'y',
    });
    assert.match(other.stderr, /not on this machine/);
    const here = await login(USER.password, '--plain-http');
    assert.deepEqual([here.code, /status 400/.test(here.stderr)], [125, true], here.stderr);
  });

  it('leave no secret in the home: only who logged in is on record', () => {
    const secrets = [USER.password, Buffer.from(`${USER.name}:${USER.password}`).toString('base64')];
    for (const entry of readdirSync(cli.home, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const content = readFileSync(join(entry.parentPath, entry.name));
      for (const secret of secrets) assert.ok(!content.includes(secret), `${entry.name} has a secret`);
    }
    const audit = readFileSync(join(cli.home, 'audit.log'), 'utf8');
    assert.match(audit, /"operation":"Registries\.Login","subject":"127\.0\.0\.1:\d+","details":\{"user":"tester"\}/);
    assert.match(audit, /"users":\["tester@127\.0\.0\.1:\d+"\]/);
  });
});
