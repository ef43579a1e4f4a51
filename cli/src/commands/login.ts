import { defineCommand } from '../command.js';
import { text } from '../grammar/flag.js';

export const loginFlags = {
  username: { kind: 'value', char: 'u', placeholder: 'NAME', summary: 'user name', parse: text, absent: 'asked for' },
  'password-stdin': { kind: 'boolean', summary: 'read the password from stdin' },
  'plain-http': { kind: 'boolean', summary: 'speak http to the registry; only to one on this machine (loopback)' },
} as const;

export const login = defineCommand({
  name: 'login',
  family: 'Images',
  summary: 'Log in to a registry',
  description: [
    "The credentials are tried, and then kept where Docker keeps them: by the credential helper that Docker's " +
      'config.json names, otherwise in that file, which only its owner can read. Without a registry, Docker Hub.',
  ],
  synopsis: '[REGISTRY]',
  minArgs: 0,
  maxArgs: 1,
  interspersed: true,
  flags: loginFlags,
  examples: ['a3s-box login registry.example', 'a3s-box login -u me --password-stdin registry.example < password'],
  load: async () => (await import('../actions/login.js')).logIn,
});

export const logout = defineCommand({
  name: 'logout',
  family: 'Images',
  summary: 'Forget the credentials of a registry',
  synopsis: '[REGISTRY]',
  minArgs: 0,
  maxArgs: 1,
  interspersed: true,
  flags: {},
  load: async () => (await import('../actions/login.js')).logOut,
});
