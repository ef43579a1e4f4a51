/**
 * `run --rm` of a no-op against a bare QEMU with the same machine options, kernel, memory and vCPUs and an initramfs that
 * only powers off. Bar: at most 1.5 times.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initramfs } from '../../core/dist/vm/assets/initramfs.js';
import { BoxCli } from '../e2e/support/box-cli.ts';
import { bareMachine } from './support/vmm-command.ts';
import { BIN } from './support/paths.ts';
import { runProgram } from './support/process.ts';
import { compare } from './support/samples.ts';

const POWER_OFF = '#include <sys/reboot.h>\nint main(void) { return reboot(RB_AUTOBOOT); }\n';

export async function run() {
  await using cli = await BoxCli.create();
  const directory = mkdtempSync(join(tmpdir(), 'bare'));
  try {
    const env = { ...process.env, A3S_BOX_HOME: cli.home };
    await runProgram(BIN, ['run', '--rm', 'a3s/starter', 'true'], env);
    const bare = await bareMachine(cli.home, powerOffInitramfs(directory));
    const result = await compare(
      10,
      () => runProgram(BIN, ['run', '--rm', 'a3s/starter', 'true'], env),
      () => runProgram(bare.program, bare.args),
    );
    return { bar: 'ratioOfMedians <= 1.5', bare, ...result };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** An initramfs whose init powers off, in place of guest-init. */
function powerOffInitramfs(directory: string): string {
  const source = join(directory, 'init.c');
  const init = join(directory, 'init');
  writeFileSync(source, POWER_OFF);
  execFileSync('cc', ['-O2', '-static', '-o', init, source]);
  const archive = join(directory, 'initramfs.cpio');
  writeFileSync(archive, initramfs(readFileSync(init)));
  return archive;
}
