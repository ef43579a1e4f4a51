import { resolve } from 'node:path';
import { BoxError } from '@a3s-box/core';
import type { VolumeMount } from '@a3s-box/core/client';

const PROPAGATION = ['shared', 'slave', 'rshared', 'rslave', 'private'];

/** `-v [SOURCE:]TARGET[:OPTION,...]`. Relative sources begin with a dot. @throws BoxError saying what is wrong with the text */
export function parseVolume(text: string): VolumeMount {
  const parts = text.split(':');
  if (parts.length > 3 || parts.includes('')) throw wrong(`invalid volume specification: '${text}'`);
  const [source = '', target, options = ''] = parts.length === 1 ? ['', parts[0]] : parts;
  const isPath = /^(?:\/|\.{1,2}(?:\/|$))/.test(source);
  const given = options === '' ? [] : options.split(',');
  const mount: VolumeMount = isPath
    ? { kind: 'bind', source: resolve(source), target: target ?? '', readOnly: given.includes('ro'), makeSource: true }
    : { kind: 'volume', source, target: target ?? '', readOnly: given.includes('ro') };
  if (given.includes('ro') && given.includes('rw')) throw wrong(`'${text}' is both ro and rw`);
  for (const option of given) checkOption(option, mount);
  return given.includes('nocopy') ? { ...mount, noCopy: true } : mount;
}

function checkOption(option: string, { kind }: VolumeMount): void {
  if (option === 'ro' || option === 'rw') return;
  if (option === 'nocopy' && kind === 'volume') return;
  if (kind === 'bind' && option === 'rprivate') return;
  if (option === 'z' || option === 'Z') {
    throw unsupported(
      `option '${option}'`,
      'files are not labelled for SELinux: the file server is no process of the box',
    );
  }
  if (PROPAGATION.includes(option)) checkPropagation(option);
  throw wrong(`invalid mode: ${option}`);
}

/** @throws UNSUPPORTED for all but what there is */
export function checkPropagation(value: string): void {
  if (value === 'rprivate') return;
  if (value === 'private') {
    throw unsupported("propagation 'private'", 'what is mounted below a source is seen: rprivate, the default');
  }
  if (PROPAGATION.includes(value)) {
    throw unsupported(
      `propagation '${value}'`,
      'mounts do not cross between the host and a virtual machine; rprivate does',
    );
  }
  throw wrong(`invalid propagation: ${value}`);
}

function unsupported(what: string, hint: string): BoxError {
  return new BoxError('UNSUPPORTED', `${what} is not supported`, { hint });
}

function wrong(message: string): BoxError {
  return new BoxError('INVALID_ARGUMENT', message);
}
