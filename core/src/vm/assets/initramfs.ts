import { cpioArchive } from './cpio.js';

/**
 * The initramfs of every guest: guest-init as `/init`, and what the kernel wants to find before it runs. Uncompressed,
 * because unpacking costs a guest under emulation more than reading.
 */
export function initramfs(init: Uint8Array): Buffer {
  return cpioArchive([
    { kind: 'directory', name: 'dev', mode: 0o755 },
    { kind: 'character-device', name: 'dev/console', mode: 0o600, major: 5, minor: 1 },
    { kind: 'character-device', name: 'dev/null', mode: 0o666, major: 1, minor: 3 },
    { kind: 'directory', name: 'proc', mode: 0o555 },
    { kind: 'directory', name: 'sys', mode: 0o555 },
    { kind: 'directory', name: 'run', mode: 0o755 },
    { kind: 'file', name: 'init', mode: 0o755, data: init },
  ]);
}
