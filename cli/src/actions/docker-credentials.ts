import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { DockerCredentials } from '@a3s-box/core/client';
import type { Invocation } from '../invocation.js';

/** The caller's credentials for registries, where Docker has them as well. */
export function dockerCredentials({ environment }: Pick<Invocation, 'environment'>): DockerCredentials {
  const { DOCKER_CONFIG: configured, HOME: home } = environment;
  const directory = configured ? resolve(configured) : join(home || homedir(), '.docker');
  return new DockerCredentials({ directory, environment });
}
