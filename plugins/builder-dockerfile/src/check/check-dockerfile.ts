import type { Dockerfile } from '../dockerfile/instruction.js';
import type { Warning } from './rule.js';
import { STAGE_RULES } from './stage-rules.js';
import { STYLE_RULES } from './style-rules.js';
import { VARIABLE_RULES } from './variable-rules.js';

const RULES = [...STYLE_RULES, ...STAGE_RULES, ...VARIABLE_RULES];

/** Everything that can be built and is most likely not meant, in the order of the lines, but for what the file skips. */
export function checkDockerfile(dockerfile: Dockerfile): Warning[] {
  const { skip } = dockerfile.checks;
  return RULES.filter(({ name }) => skip !== 'all' && !skip.has(name.toLowerCase()))
    .flatMap((rule) => rule.find(dockerfile).map(({ place, message }) => ({ rule: rule.name, ...place, message })))
    .sort((a, b) => a.line - b.line || a.column - b.column);
}
