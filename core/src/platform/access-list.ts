import { BoxError } from '../errors/box-error.js';
import type { AccessRights } from './platform.js';

/** Runs a program of Windows to its end. @throws Error when it fails @returns what it wrote */
export type SystemCommand = (program: string, args: readonly string[]) => string;

/** By their places, so that nothing that lies elsewhere is run instead. */
const ICACLS = 'C:\\Windows\\System32\\icacls.exe';
const POWERSHELL = 'C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe';
/** Well-known: they may do anything anyway (SYSTEM and the administrators). */
const ALMIGHTY = new Set(['S-1-5-18', 'S-1-5-32-544', 'SY', 'BA']);
/** Stand for the owner, of the thing itself or of what is made below it. */
const OWNER = new Set(['S-1-3-0', 'CO', 'S-1-3-4', 'OW']);
const SID = /^S-1-[0-9-]+$/;
/** Rights that change nothing, as two letters each or as a mask: to read, to execute, to look at the list. */
const READING = /^(FR|FX|GR|GX|RC)+$/;
const READING_MASK = 0xa012_00a9;

/** What is known of a file: who asks, whose it is, and whom its list allows what. */
interface Descriptor {
  readonly user: string;
  readonly owner: string;
  readonly grants: readonly { readonly sid: string; readonly rights: string }[];
}

/** Access rights where files have an access control list, by programs that every Windows has. */
export function accessList(run: SystemCommand = runSystemCommand): AccessRights {
  const isOther = ({ user }: Descriptor, sid: string): boolean =>
    !(isUser(sid, user) || ALMIGHTY.has(sid) || OWNER.has(sid));
  return {
    foreignOwner(path) {
      const descriptor = descriptorOf(path, run);
      return isOther(descriptor, descriptor.owner) ? `it belongs to ${descriptor.owner}` : undefined;
    },
    letsOthersIn(path) {
      const descriptor = descriptorOf(path, run);
      return descriptor.grants.some(({ sid }) => isOther(descriptor, sid));
    },
    letsOthersWrite(path) {
      const descriptor = descriptorOf(path, run);
      // An owner may change the list.
      if (isOther(descriptor, descriptor.owner)) return true;
      return descriptor.grants.some(({ sid, rights }) => isOther(descriptor, sid) && !onlyReads(rights));
    },
    keepOthersOut(path) {
      const { user } = descriptorOf(path, run);
      run(ICACLS, [path, '/inheritance:r', '/grant:r', `*${user}:(OI)(CI)F`, '*S-1-5-18:(OI)(CI)F']);
    },
    remedy: (path) => `icacls "${path}" /inheritance:r /grant:r "%USERNAME%:(OI)(CI)F"`,
  };
}

/** The administrator that every installation has goes by a name of two letters. */
function isUser(sid: string, user: string): boolean {
  return sid === user || (sid === 'LA' && user.endsWith('-500'));
}

function onlyReads(rights: string): boolean {
  if (!rights.startsWith('0x')) return READING.test(rights);
  return (Number(rights) & ~READING_MASK) === 0;
}

/** In SDDL: names of accounts differ by language, these do not. @throws HOME_UNUSABLE */
function descriptorOf(path: string, run: SystemCommand): Descriptor {
  const identity = '[Security.Principal.WindowsIdentity]::GetCurrent().User.Value';
  const script = `$ErrorActionPreference = 'Stop'; ${identity}; (Get-Acl -LiteralPath ${quoted(path)}).Sddl`;
  const encoded = Buffer.from(script, 'utf16le').toString('base64');
  const text = run(POWERSHELL, ['-NoProfile', '-NonInteractive', '-EncodedCommand', encoded]);
  const [user = '', sddl = ''] = text.split(/\r?\n/).map((line) => line.trim());
  const [, owner, list] = /^O:(S-1-[0-9-]+|[A-Z]{2})(?:G:(?:S-1-[0-9-]+|[A-Z]{2}))?D:(.*)$/.exec(sddl) ?? [];
  if (!SID.test(user) || owner === undefined || list === undefined) {
    throw new BoxError('HOME_UNUSABLE', `the system does not tell who may use ${path}`);
  }
  return { user, owner, grants: grantsOf(list) };
}

/** PowerShell takes typographic quotation marks for the plain one. */
function quoted(text: string): string {
  return `'${text.replaceAll(/['\u2018\u2019\u201a\u201b]/g, '$&$&')}'`;
}

/** A file without a list lets everybody do everything. An entry of a kind that is not known counts as one that allows. */
function grantsOf(list: string): Descriptor['grants'] {
  if (list.includes('NO_ACCESS_CONTROL')) return [{ sid: 'WD', rights: 'FA' }];
  const entries = [...list.matchAll(/\(([^()]*(?:\([^()]*\)[^()]*)*)\)/g)].map(([, entry = '']) => entry.split(';'));
  return entries.flatMap(([kind, , rights = '', , , sid = '']) =>
    kind === 'D' || kind === 'OD' ? [] : [{ sid, rights }],
  );
}

function runSystemCommand(program: string, args: readonly string[]): string {
  // Loaded where it is used: every start of the CLI, on other systems too, would pay for it.
  const { execFileSync } = process.getBuiltinModule('node:child_process');
  return execFileSync(program, args, { encoding: 'utf8', windowsHide: true, stdio: ['ignore', 'pipe', 'pipe'] });
}
