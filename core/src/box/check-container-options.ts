import { isIP } from 'node:net';
import { BoxError } from '../errors/box-error.js';
import type { BoxSpec } from './box-spec.js';
import { capabilitiesOf } from './capability-set.js';
import { checkLimits } from './container-limits.js';
import { checkMounts } from './container-mounts.js';
import type { ContainerOptions } from './container-options.js';
import { parseSecurityOptions } from './security-options.js';
import { checkSysctls } from './sysctls.js';

const DOMAIN =
  /^(?=.{1,253}$)[a-zA-Z0-9_]([a-zA-Z0-9_-]*[a-zA-Z0-9_])?(\.[a-zA-Z0-9_]([a-zA-Z0-9_-]*[a-zA-Z0-9_])?)*\.?$/;
const RESOLVER_OPTION = /^[a-z0-9-]+(:\S+)?$/;
const GROUP = /^[^\s:,]+$/;
const LONGEST_DOMAIN_NAME = 64;

/**
 * Checks what can be checked without an image.
 * @param sizing of the VM
 * @throws INVALID_ARGUMENT, UNSUPPORTED for a security option of Docker's that is refused
 */
export function checkContainerOptions(
  options: ContainerOptions,
  spec: BoxSpec,
  sizing: { readonly vcpus: number; readonly memoryBytes: number },
): void {
  capabilitiesOf(options);
  parseSecurityOptions(options.securityOptions ?? []);
  checkMounts(options, spec.volumes);
  checkLimits(options, spec, sizing);
  checkSysctls(options.sysctls);
  checkNames(options);
  for (const group of options.groups ?? []) {
    if (!GROUP.test(group))
      fail(`group "${group}" is not valid`, 'give a name or a number of the container’s /etc/group');
  }
  for (const [name, value] of Object.entries(options.annotations ?? {})) {
    if (name === '' || /\0/.test(name + value)) fail(`annotation "${name}" is not valid`, 'give NAME=VALUE');
  }
}

/** What goes into /etc/hosts and /etc/resolv.conf, so nothing that would add lines of its own. */
function checkNames({ nameServers, searchDomains, resolverOptions, extraHosts, domainName }: ContainerOptions): void {
  for (const server of nameServers ?? []) {
    if (isIP(server) === 0) fail(`name server "${server}" is not an address`, 'give an IPv4 or IPv6 address');
  }
  for (const domain of searchDomains ?? []) {
    if (domain !== '.' && !DOMAIN.test(domain))
      fail(`search domain "${domain}" is not valid`, 'give a domain, or "." for none');
  }
  for (const option of resolverOptions ?? []) {
    if (!RESOLVER_OPTION.test(option))
      fail(`resolver option "${option}" is not valid`, 'give one of resolv.conf(5), such as ndots:2');
  }
  for (const host of extraHosts ?? []) parseExtraHost(host);
  if (domainName !== undefined && !(DOMAIN.test(domainName) && domainName.length <= LONGEST_DOMAIN_NAME))
    fail(
      `domain name "${domainName}" is not valid`,
      `use at most ${LONGEST_DOMAIN_NAME} letters, digits, "-" and dots between them`,
    );
}

/** Of `NAME:ADDRESS`. @throws INVALID_ARGUMENT, UNSUPPORTED for the host itself */
export function parseExtraHost(given: string): { readonly name: string; readonly address: string } {
  const at = given.indexOf(':');
  const [name, raw] = at < 0 ? [given, ''] : [given.slice(0, at), given.slice(at + 1)];
  const address = raw.replace(/^\[(.*)\]$/, '$1');
  if (address === 'host-gateway') {
    throw new BoxError('UNSUPPORTED', `host entry "${given}": a box does not reach its host by an address of its own`, {
      hint: 'publish what the box is to reach on an address of the network, and name that',
    });
  }
  if (!DOMAIN.test(name)) fail(`host entry "${given}" has no valid name`, 'give NAME:ADDRESS');
  if (isIP(address) === 0)
    fail(`host entry "${given}" has no valid address`, 'give NAME:ADDRESS with an IPv4 or IPv6 address');
  return { name, address };
}

function fail(message: string, hint: string): never {
  throw new BoxError('INVALID_ARGUMENT', message, { hint });
}
