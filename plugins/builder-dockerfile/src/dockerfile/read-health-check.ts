import type { Statement } from './instruction.js';
import type { InstructionSource } from './instruction-source.js';
import { readCommand } from './read-command.js';
import { Options } from './read-options.js';
import { part, trimmed } from './split-words.js';

/** @throws Fault */
export function readHealthCheck(source: InstructionSource): Statement {
  const options = new Options(source, {
    interval: 'value',
    timeout: 'value',
    'start-period': 'value',
    'start-interval': 'value',
    retries: 'value',
  });
  const [type] = source.blankSeparated;
  const rest = type === undefined ? undefined : trimmed(part(source.arguments, type.text.length));
  if (type?.text.toUpperCase() === 'NONE') {
    if (rest?.text !== '' || source.options.length > 0) source.fail('HEALTHCHECK NONE has nothing beside it');
    return { kind: 'healthcheck', options: {} };
  }
  if (type?.text.toUpperCase() !== 'CMD' || rest === undefined) {
    return source.fail('HEALTHCHECK is followed by CMD and a command, or by NONE', type);
  }
  if (rest.text === '') source.fail('HEALTHCHECK CMD needs a command', type);
  const [interval, timeout] = [options.one('interval'), options.one('timeout')];
  const [startPeriod, startInterval] = [options.one('start-period'), options.one('start-interval')];
  const retries = options.one('retries');
  return {
    kind: 'healthcheck',
    command: readCommand(rest),
    options: {
      ...(interval && { interval }),
      ...(timeout && { timeout }),
      ...(startPeriod && { startPeriod }),
      ...(startInterval && { startInterval }),
      ...(retries && { retries }),
    },
  };
}
