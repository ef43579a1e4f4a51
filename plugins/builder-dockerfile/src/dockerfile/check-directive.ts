/** What the directive `# check=skip=RULE,...;error=true` says. */
export interface Checks {
  /** Rules that are not asked, in small letters. */
  readonly skip: ReadonlySet<string> | 'all';
  /** Whether a warning ends the build. */
  readonly error: boolean;
}

export const ALL_CHECKS: Checks = { skip: new Set(), error: false };

/** @returns undefined for a text that is none */
export function readChecks(text: string): Checks | undefined {
  let checks = ALL_CHECKS;
  for (const [, name, value = ''] of text.matchAll(/([^;=]*)=([^;]*)(?:;|$)/g)) {
    const rules = value.split(',').map((rule) => rule.trim().toLowerCase());
    if (name?.trim() === 'skip') checks = { ...checks, skip: rules.includes('all') ? 'all' : new Set(rules) };
    else if (name?.trim() === 'error' && /^(true|false)$/.test(value.trim())) {
      checks = { ...checks, error: value.trim() === 'true' };
    } else return undefined;
  }
  return checks === ALL_CHECKS ? undefined : checks;
}
