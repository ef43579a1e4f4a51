import { execFileSync } from 'node:child_process';

/** Without it macOS gives a process no virtual machine. */
export const ENTITLEMENT = 'com.apple.security.hypervisor';

/** What `codesign` prints of a program's entitlements. @throws Error for one without a signature */
export type ReadEntitlements = (program: string) => string;

/** Why a launcher may make no machine, and what changes that; undefined when it may. */
export function signatureObstacle(program: string | undefined, read = readEntitlements): string | undefined {
  if (program === undefined) return 'the launcher a3s-box-krun is not built (run npm run build in native/)';
  const remedy = 'sign it: npm run sign-launcher -w @a3s-box/libkrun-hvf';
  let entitlements: string;
  try {
    entitlements = read(program);
  } catch {
    return `the launcher ${program} is not signed (${remedy})`;
  }
  // As a property list: the key, then whether it is granted.
  if (new RegExp(`<key>${ENTITLEMENT.replaceAll('.', '\\.')}</key>\\s*<true/>`).test(entitlements)) return undefined;
  return `the launcher ${program} is signed without the entitlement ${ENTITLEMENT} (${remedy})`;
}

function readEntitlements(program: string): string {
  return execFileSync('/usr/bin/codesign', ['--display', '--entitlements', '-', '--xml', program], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
