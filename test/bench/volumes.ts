/**
 * 256 MiB written with fsync: to a box's root and to a bind, against a bare QEMU of the same machine, kernel and memory with
 * the same busybox, an ext4 disk of the same kind, and a virtiofsd without our launcher, its sandbox and its options. Bars: at least 0.8 of the bare figure, each.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { bundledVirtiofsdPath } from '@a3s-box/native';
import { cpioArchive } from '../../core/dist/vm/assets/cpio.js';
import { cloneScratch } from '../../core/dist/vm/assets/scratch-disk.js';
import { BoxCli } from '../e2e/support/box-cli.ts';
import { BIN } from './support/paths.ts';
import { round, summarize } from './support/samples.ts';
import { bareMachine } from './support/vmm-command.ts';

const ROUNDS = 9;
const MIB = 256;
const TARGETS = ['disk', 'share'] as const;
type Target = (typeof TARGETS)[number];
type Seconds = Record<Target, number>;

/**
 * Over a file that was written once before: the emulator translates the kernel's code when it is first used, and a host that is a
 * guest itself pays more for the first use of memory, the guest's and the file's, than for all else. Times are those of the
 * guest's clock.
 */
const script = (disk: string, share: string): string =>
  [
    `w() { dd if=/dev/zero of=$1 bs=1M count=${MIB} conv=fsync,notrunc 2>/dev/null || exit 1; }`,
    't() { w $2/file; a=$(cut -d" " -f1 /proc/uptime); w $2/file; echo $1 $a $(cut -d" " -f1 /proc/uptime); rm $2/file; }',
    `t disk ${disk}; t share ${share}`,
  ].join('; ');

export async function run() {
  await using cli = await BoxCli.create();
  const directory = mkdtempSync(join(tmpdir(), 'bench-volumes-'));
  try {
    const shared = join(directory, 'shared');
    mkdirSync(shared);
    const env = { ...process.env, A3S_BOX_HOME: cli.home };
    const box = async (): Promise<Seconds> => {
      const options = ['run', '--rm', '-v', `${shared}:/shared`, 'a3s/starter', 'sh', '-c', script('/root', '/shared')];
      return secondsOf((await promisify(execFile)(BIN, options, { env })).stdout);
    };
    await box();
    const bare = await bareGuest(cli.home, directory, shared);
    const times: { ours: Seconds; bare: Seconds }[] = [];
    for (let i = 0; i < ROUNDS; i++) times.push({ ours: await box(), bare: await bare() });
    const figures = TARGETS.map((target) => {
      const rate = (who: 'ours' | 'bare') =>
        summarize(
          times.map((time) => MIB / time[who][target]),
          'MiB/s',
        );
      const [a, b] = [rate('ours'), rate('bare')];
      return [target, { ours: a, bare: b, ratioOfMedians: round(a.p50 / b.p50) }];
    });
    return { bar: 'ratioOfMedians >= 0.8', ...Object.fromEntries(figures) };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function secondsOf(output: string): Seconds {
  const found = (target: Target): number => {
    const [, begin, end] = new RegExp(`^${target} ([0-9.]+) ([0-9.]+)`, 'm').exec(output) ?? [];
    const seconds = Number(end) - Number(begin);
    if (!(seconds > 0)) throw new Error(`no time of ${target} in: ${output}`);
    return seconds;
  };
  return { disk: found('disk'), share: found('share') };
}

/** A guest with busybox alone. */
async function bareGuest(home: string, directory: string, shared: string): Promise<() => Promise<Seconds>> {
  const init = [
    '#!/bin/busybox sh',
    '/bin/busybox mkdir -p /disk /share /proc; /bin/busybox mount -t proc proc /proc',
    '/bin/busybox --install -s /bin; export PATH=/bin',
    'mount -t devtmpfs dev /dev; mount -t ext4 -o noatime /dev/vda /disk; mount -t virtiofs share /share',
    script('/disk', '/share'),
    'sync; umount /disk; reboot -f',
  ];
  const executable = { kind: 'file', mode: 0o755 } as const;
  const initramfs = join(directory, 'bare.cpio');
  writeFileSync(
    initramfs,
    cpioArchive([
      { kind: 'directory', name: 'bin', mode: 0o755 },
      { kind: 'directory', name: 'dev', mode: 0o755 },
      { kind: 'character-device', name: 'dev/console', mode: 0o600, major: 5, minor: 1 },
      { ...executable, name: 'bin/busybox', data: readFileSync('/bin/busybox') },
      { ...executable, name: 'init', data: Buffer.from(`${init.join('\n')}\n`) },
    ]),
  );
  const machine = await bareMachine(home, initramfs, { share: true });
  return async () => {
    const disk = join(directory, 'disk.img');
    rmSync(disk, { force: true });
    await cloneScratch(disk);
    const socket = join(directory, 'bare.sock');
    const options = [`--socket-path=${socket}`, `--shared-dir=${shared}`, '--sandbox=none'];
    const server = spawn(bundledVirtiofsdPath(), options, { stdio: ['ignore', 'ignore', 'pipe'] });
    const gone = once(server, 'close');
    for await (const text of server.stderr.setEncoding('utf8')) if (String(text).includes('Waiting')) break;
    const devices = [
      ...['-blockdev', `driver=raw,node-name=disk,file.driver=file,file.filename=${disk},discard=unmap`],
      ...['-device', 'virtio-blk-device,drive=disk', '-chardev', `socket,id=share,path=${socket}`],
      ...['-device', 'vhost-user-fs-device,chardev=share,tag=share', '-device', 'virtio-serial-device'],
      ...['-chardev', 'stdio,id=console', '-device', 'virtconsole,chardev=console'],
    ];
    const { stdout } = await promisify(execFile)(machine.program, [...machine.args, ...devices]);
    await gone;
    return secondsOf(stdout);
  };
}
