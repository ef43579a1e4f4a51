/**
 * In the emulated KVM host: start to exit of a no-op on libkrun-kvm, through the SDK in a warm supervisor, against a bare C
 * program that makes the same libkrun calls with the same kernel, initramfs and disks, and has the guest run the same container
 * by saying to it what a supervisor said. Bar: at most 1.2 times.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { compileCacheEnvironment } from '../kvm-host/compile-cache.ts';
import { CHECKOUT, KvmHost } from '../kvm-host/kvm-host.ts';
import { ROOT } from './support/paths.ts';

const ROUNDS = 5;

export async function run() {
  const source = join(ROOT, 'test/bench/support/bare-krun.c');
  // In the checkout, which the host sees; it has no compiler.
  const program = 'test/bench/build/bare-krun';
  mkdirSync(join(ROOT, 'test/bench/build'), { recursive: true });
  execFileSync('cc', ['-O2', '-Wall', '-Wextra', '-o', join(ROOT, program), source, '-ldl']);
  await using host = await KvmHost.start(ROOT, (line) => console.error(line));
  const script = 'test/bench/support/krun-in-host.ts';
  const text = await host.run({
    line: `node ${script} ${CHECKOUT}/${program} ${ROUNDS}`,
    environment: { A3S_BOX_KVM_HOST: '1', ...compileCacheEnvironment(CHECKOUT) },
  });
  return { bar: 'ratioOfMedians <= 1.2', ...(JSON.parse(text) as object) };
}
