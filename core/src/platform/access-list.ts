import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BoxError } from '../errors/box-error.js';
import type { AccessRights } from './platform.js';

/** Runs a program of Windows to its end. @throws Error when it fails @returns what it wrote */
export type SystemCommand = (program: string, args: readonly string[]) => string;

/** Well-known: they may do anything anyway (SYSTEM and the administrators). */
const ALMIGHTY = new Set(['S-1-5-18', 'S-1-5-32-544', 'SY', 'BA']);
/** Stands for the owner of what is made below a directory: this user, for others cannot make anything there. */
const CREATOR = new Set(['S-1-3-0', 'CO', 'OW', 'S-1-3-4']);
/** By their places, so that nothing that lies elsewhere is run instead. */
const PROGRAMS = 'C:\\Windows\\System32\\';
const ICACLS = `${PROGRAMS}icacls.exe`;
const SID = /^S-1-[0-9-]+$/;

/** Access rights where directories have an access control list, by the programs that every Windows has. */
export function accessList(run: SystemCommand = runSystemCommand): AccessRights {
  let user: string | undefined;
  const self = (): string => (user ??= ownSid(run));
  return {
    // What keeps others out is the list alone.
    foreignOwner: () => undefined,
    letsOthersIn(directory) {
      return trustees(descriptorOf(directory, run)).some(
        (sid) => sid !== self() && !ALMIGHTY.has(sid) && !CREATOR.has(sid),
      );
    },
    keepOthersOut(directory) {
      run(ICACLS, [directory, '/inheritance:r', '/grant:r', `*${self()}:(OI)(CI)F`, '*S-1-5-18:(OI)(CI)F']);
    },
    remedy: (directory) => `icacls "${directory}" /inheritance:r /grant:r "%USERNAME%:(OI)(CI)F"`,
  };
}

/** `"machine\user","S-1-5-21-..."`, whatever the language of the system. */
function ownSid(run: SystemCommand): string {
  const line = run(`${PROGRAMS}whoami.exe`, ['/user', '/fo', 'csv', '/nh']).trim();
  const sid = line.split(',').at(-1)?.replaceAll('"', '').trim() ?? '';
  if (!SID.test(sid)) throw new BoxError('HOME_UNUSABLE', `the system does not tell who this user is: ${line}`);
  return sid;
}

/** A directory's security descriptor as text (SDDL). Names of accounts differ by language; these do not. */
function descriptorOf(directory: string, run: SystemCommand): string {
  const place = mkdtempSync(join(tmpdir(), 'a3s-acl-'));
  try {
    const file = join(place, 'acl');
    run(ICACLS, [directory, '/save', file]);
    const text = readFileSync(file, 'utf16le');
    // Two lines: the name, and the descriptor.
    const descriptor = text.split(/\r?\n/).find((line) => line.startsWith('D:'));
    if (descriptor === undefined)
      throw new BoxError('HOME_UNUSABLE', `the system does not tell who may use ${directory}`);
    return descriptor;
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/**
 * Whom a descriptor's entries allow anything. One without entries (a null list, `D:NO_ACCESS_CONTROL`) allows everybody.
 * An entry of a kind that is not known counts as one that allows.
 */
function trustees(descriptor: string): string[] {
  if (descriptor.includes('NO_ACCESS_CONTROL')) return ['WD'];
  const entries = [...descriptor.matchAll(/\(([^()]*(?:\([^()]*\)[^()]*)*)\)/g)].map(([, entry = '']) =>
    entry.split(';'),
  );
  return entries.flatMap(([kind, , , , , sid = '']) => (kind === 'D' || kind === 'OD' ? [] : [sid]));
}

function runSystemCommand(program: string, args: readonly string[]): string {
  // Loaded where it is used: every start of the CLI, on other systems too, would pay for it.
  const { execFileSync } = process.getBuiltinModule('node:child_process');
  return execFileSync(program, args, { encoding: 'utf8', windowsHide: true, stdio: ['ignore', 'pipe', 'pipe'] });
}
