import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import type { Surroundings } from './platform.js';

/** What has the system start a home's supervisor when the machine starts. */
export interface Autostart {
  /** Name that the system knows it by. */
  readonly name: string;
  /** Absolute path of its file. */
  readonly file: string;
  readonly content: string;
  /** Commands of the system that follow the writing of the file, in this order. */
  readonly enable: readonly (readonly string[])[];
  /** Commands that come before its removal. */
  readonly disable: readonly (readonly string[])[];
  /** Commands that follow its removal. */
  readonly afterRemoval: readonly (readonly string[])[];
  /** What the user may have to do beside that. */
  readonly note: string;
}

export interface AutostartRequest extends Surroundings {
  /** Absolute path of the home. */
  readonly home: string;
  /** Whether it is the user's default one. */
  readonly isDefault: boolean;
  /** Program and arguments of the supervisor. */
  readonly command: readonly string[];
}

const DIGITS = 8;

/** A unit of the user's systemd. */
export function systemdUnit({ home, isDefault, command, environment, userDirectory }: AutostartRequest): Autostart {
  const name = `a3s-box${isDefault ? '' : `-${digest(home)}`}.service`;
  const configuration = environment['XDG_CONFIG_HOME'] || posix.join(userDirectory, '.config');
  const lines = [
    '[Unit]',
    `Description=A3S Box supervisor of ${unit(home)}`,
    '',
    '[Service]',
    `ExecStart=${command.map((word) => `"${unit(word).replaceAll('$', () => '$$')}"`).join(' ')}`,
    `StandardError=append:${posix.join(home, 'supervisor.log').replaceAll('%', '%%')}`,
    '# Boxes go on without it, and it ends by itself when there is nothing to look after.',
    'KillMode=process',
    'Restart=on-failure',
    '',
    '[Install]',
    'WantedBy=default.target',
    '',
  ];
  const systemctl = (...words: string[]) => ['systemctl', '--user', ...words];
  return {
    name,
    file: posix.join(configuration, 'systemd/user', name),
    content: lines.join('\n'),
    enable: [systemctl('daemon-reload'), systemctl('enable', '--now', name)],
    disable: [systemctl('disable', name)],
    afterRemoval: [systemctl('daemon-reload')],
    note: "without a log-in it starts only after 'loginctl enable-linger'",
  };
}

/** An agent of the user's launchd. */
export function launchAgent({ home, isDefault, command, userDirectory }: AutostartRequest): Autostart {
  const name = `box.a3s.supervisor${isDefault ? '' : `.${digest(home)}`}`;
  const file = posix.join(userDirectory, 'Library/LaunchAgents', `${name}.plist`);
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    '<plist version="1.0">',
    '<dict>',
    `  <key>Label</key><string>${xml(name)}</string>`,
    '  <key>ProgramArguments</key>',
    `  <array>${command.map((word) => `<string>${xml(word)}</string>`).join('')}</array>`,
    '  <key>RunAtLoad</key><true/>',
    '  <key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>',
    '  <key>AbandonProcessGroup</key><true/>',
    `  <key>StandardErrorPath</key><string>${xml(posix.join(home, 'supervisor.log'))}</string>`,
    '</dict>',
    '</plist>',
    '',
  ];
  return {
    name,
    file,
    content: lines.join('\n'),
    enable: [['launchctl', 'load', '-w', file]],
    disable: [['launchctl', 'unload', '-w', file]],
    afterRemoval: [],
    note: 'it starts when you log in',
  };
}

function digest(home: string): string {
  return createHash('sha256').update(home).digest('hex').slice(0, DIGITS);
}

/** As systemd.unit(5) and systemd.service(5) want it within quotes. */
function unit(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%');
}

function xml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
