import type { RegistryCredentials as Message } from '../gen/a3s/box/supervisor/v1/registries.js';
import type { RegistryCredentials } from '../ports/registry.js';

export function credentialsFrom(message: Message): RegistryCredentials {
  const { registry, username, password, identityToken, registryToken } = message;
  return {
    registry,
    ...(username !== '' && { username }),
    // With a user name, an empty password is one too.
    ...((password !== '' || (username !== '' && identityToken === '')) && { password }),
    ...(identityToken !== '' && { identityToken }),
    ...(registryToken !== '' && { registryToken }),
  };
}
