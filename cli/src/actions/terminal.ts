import type { WriteStream } from 'node:tty';
import type { TerminalSize } from '@a3s-box/core/client';

/** The stream whose terminal's size the box's terminal gets. */
function terminal(): WriteStream | undefined {
  const { stdout, stderr } = process;
  if (stdout.isTTY) return stdout;
  return stderr.isTTY ? stderr : undefined;
}

/** Size of the caller's terminal; undefined without one, or where it has none. */
export function terminalSize(): TerminalSize | undefined {
  const [columns, rows] = terminal()?.getWindowSize() ?? [0, 0];
  return columns > 0 && rows > 0 ? { columns, rows } : undefined;
}

/**
 * Keys go to the box from here on, Ctrl-C among them. Undone by disposal and, whatever happens, when the process ends.
 */
export function rawMode(): Disposable {
  const { stdin } = process;
  const restore = () => {
    stdin.setRawMode(false);
  };
  stdin.setRawMode(true);
  process.once('exit', restore);
  return {
    [Symbol.dispose]() {
      process.removeListener('exit', restore);
      restore();
    },
  };
}

/** Calls back with every new size of the caller's terminal, until disposal. */
export function onResize(changed: (size: TerminalSize) => void): Disposable {
  const listener = () => {
    const size = terminalSize();
    if (size) changed(size);
  };
  process.on('SIGWINCH', listener);
  return { [Symbol.dispose]: () => void process.removeListener('SIGWINCH', listener) };
}
