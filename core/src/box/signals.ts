import { BoxError } from '../errors/box-error.js';

/** Linux signal numbers (signal(7), x86 and arm). A guest is Linux whatever the host is. */
const LINUX_SIGNALS: Readonly<Record<string, number>> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  STKFLT: 16,
  CHLD: 17,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  TTIN: 21,
  TTOU: 22,
  URG: 23,
  XCPU: 24,
  XFSZ: 25,
  VTALRM: 26,
  PROF: 27,
  WINCH: 28,
  IO: 29,
  PWR: 30,
  SYS: 31,
};
const SIGRTMIN = 34;
const SIGRTMAX = 64;

/**
 * Linux number of a signal given as Docker takes it: `9`, `KILL`, `SIGKILL`, `RTMIN+3`, in any case.
 * @throws INVALID_ARGUMENT
 */
export function signalNumber(signal: string): number {
  const name = signal.toUpperCase().replace(/^SIG/, '');
  const number = /^\d+$/.test(name) ? Number(name) : (LINUX_SIGNALS[name] ?? realTime(name));
  if (number === undefined || number < 1 || number > SIGRTMAX) {
    throw new BoxError('INVALID_ARGUMENT', `signal "${signal}" is not known`, {
      hint: 'give a name such as SIGTERM or a number from 1 to 64',
    });
  }
  return number;
}

function realTime(name: string): number | undefined {
  const match = /^RT(MIN|MAX)([+-]\d+)?$/.exec(name);
  if (!match) return undefined;
  const number = (match[1] === 'MIN' ? SIGRTMIN : SIGRTMAX) + Number(match[2] ?? 0);
  return number >= SIGRTMIN && number <= SIGRTMAX ? number : undefined;
}
