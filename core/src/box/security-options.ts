import { BoxError } from '../errors/box-error.js';
import { DEFAULT_PROFILE } from './seccomp/default-profile.js';
import { parseProfile } from './seccomp/parse-profile.js';
import type { Profile } from './seccomp/profile.js';

/** What `--security-opt` comes to. */
export interface SecurityOptions {
  readonly noNewPrivileges: boolean;
  /** Whether paths of /proc and /sys are masked or read-only. */
  readonly maskedPaths: boolean;
  /** `undefined`: not said. */
  readonly seccomp: Profile | 'unconfined' | undefined;
}

/** Options of Docker's that nothing in a guest could apply. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  apparmor: "the guest's kernel has no AppArmor",
  label: "the guest's kernel has no SELinux",
  'writable-cgroups': 'the control groups of a box are its guest agent’s',
  credentialspec: 'it is for Windows containers only',
};

/** @throws INVALID_ARGUMENT, UNSUPPORTED for one of Docker's that is refused */
export function parseSecurityOptions(options: readonly string[]): SecurityOptions {
  let parsed: SecurityOptions = { noNewPrivileges: false, maskedPaths: true, seccomp: undefined };
  for (const option of options) parsed = { ...parsed, ...parseOption(option) };
  return parsed;
}

function parseOption(option: string): Partial<SecurityOptions> {
  // Docker takes a colon too, from before it took "=".
  const [, name = '', value] = /^([^=:]*)(?:[=:]([^]*))?$/.exec(option) ?? [];
  switch (name) {
    case 'no-new-privileges':
      return { noNewPrivileges: truth(option, value) };
    case 'systempaths':
      if (value === 'unconfined') return { maskedPaths: false };
      break;
    case 'seccomp':
      if (value !== undefined && value !== '') return { seccomp: profileOf(value) };
      break;
  }
  const reason = Object.hasOwn(UNSUPPORTED, name) ? UNSUPPORTED[name] : undefined;
  if (reason !== undefined) {
    throw new BoxError('UNSUPPORTED', `security option "${name}" is not supported: ${reason}`, {
      hint: 'a box is confined by its VM; leave the option out',
    });
  }
  throw new BoxError('INVALID_ARGUMENT', `security option "${shown(option)}" is not known`, {
    hint: 'give no-new-privileges, seccomp=default|unconfined|FILE or systempaths=unconfined',
  });
}

function profileOf(value: string): Profile | 'unconfined' {
  if (value === 'unconfined') return value;
  if (value === 'default' || value === 'builtin') return DEFAULT_PROFILE;
  return parseProfile(value);
}

function truth(option: string, value = 'true'): boolean {
  if (value === 'true' || value === 'false') return value === 'true';
  throw new BoxError('INVALID_ARGUMENT', `security option "${shown(option)}" is neither true nor false`, {
    hint: 'give no-new-privileges alone, or with =true or =false',
  });
}

function shown(option: string): string {
  return option.length > 60 ? `${option.slice(0, 60)}…` : option;
}
