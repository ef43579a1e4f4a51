import type { BoxSpec } from '@a3s-box/core/client';

/** The labels and variables of a box that its log options name, as Docker prints them: `a=1,b=two`. */
export function logDetails({ log, labels, environment }: BoxSpec): string {
  const named = (option: string): string[] => (log?.options[option] ?? '').split(',').filter((name) => name !== '');
  const variables = new Map(environment.map((variable) => splitVariable(variable)));
  const found = [
    ...named('labels').flatMap((name) => (Object.hasOwn(labels, name) ? [[name, labels[name] ?? ''] as const] : [])),
    ...named('env').flatMap((name) => (variables.has(name) ? [[name, variables.get(name) ?? ''] as const] : [])),
  ];
  return found
    .map(([name, value]) => `${escaped(name)}=${escaped(value)}`)
    .sort()
    .join(',');
}

function splitVariable(variable: string): readonly [string, string] {
  const equals = variable.indexOf('=');
  return [variable.slice(0, equals), variable.slice(equals + 1)];
}

function escaped(text: string): string {
  return encodeURIComponent(text).replaceAll('%20', '+');
}
