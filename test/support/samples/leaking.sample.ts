import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

describe('sample', () => {
  it('leaves a directory, and a console that is a pipe', () => {
    mkdirSync(join(tmpdir(), 'forgotten'));
    execFileSync('mkfifo', [join(tmpdir(), 'forgotten/console')]);
  });
  it('leaves a process', () => {
    spawn('sleep', ['300'], { stdio: 'ignore', detached: true }).unref();
  });
  it('leaves a socket', (done) => {
    const server = createServer().listen(join(tmpdir(), 'forgotten.sock'), done);
    server.unref();
  });
});
