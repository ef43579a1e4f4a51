import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Logger, LogFields } from '@a3s-box/core';
import type { Distribution, PluginSource } from '@a3s-box/core/host';

/** A directory that is gone at the end of the scope. */
export function temporaryDirectory(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'a3s-kernel-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields;
}

/** A logger that keeps its lines. */
export class RecordingLogger implements Logger {
  readonly lines: LogLine[];
  readonly #fields: LogFields;

  constructor(lines: LogLine[] = [], fields: LogFields = {}) {
    this.lines = lines;
    this.#fields = fields;
  }

  debug = (fields: LogFields, message: string): void => this.#add('debug', fields, message);
  info = (fields: LogFields, message: string): void => this.#add('info', fields, message);
  warn = (fields: LogFields, message: string): void => this.#add('warn', fields, message);
  error = (fields: LogFields, message: string): void => this.#add('error', fields, message);
  child = (fields: LogFields): Logger => new RecordingLogger(this.lines, { ...this.#fields, ...fields });

  #add(level: string, fields: LogFields, message: string): void {
    this.lines.push({ level, message, fields: { ...this.#fields, ...fields } });
  }
}

export interface TestPackage {
  readonly name: string;
  /** The manifest, whatever it is; absent for a package that is no plugin. */
  readonly a3sBox?: unknown;
  /** Body of the module `plugin.js`. */
  readonly code?: string;
  readonly files?: Readonly<Record<string, string>>;
}

/** Writes a package and returns its directory. */
export function writePackage(root: string, { name, a3sBox, code, files = {} }: TestPackage): string {
  const directory = join(root, 'packages', name);
  const all = {
    'package.json': JSON.stringify({ name, version: '1.2.3', type: 'module', a3sBox }),
    ...(code === undefined ? {} : { 'plugin.js': code }),
    ...files,
  };
  for (const [file, text] of Object.entries(all)) {
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    writeFileSync(join(directory, file), text);
  }
  return directory;
}

export interface TestPlugin {
  readonly name: string;
  readonly provides?: readonly { readonly port: string; readonly name: string }[];
  readonly requires?: readonly { readonly port: string; readonly name?: string }[];
  readonly settings?: object;
  readonly platforms?: readonly string[];
  /** Body of `activate(context, required)`; the default gives a service `{from: <plugin>, required}` for each port. */
  readonly activate?: string;
}

/** Writes a plugin whose manifest and code agree, in plain JavaScript that imports nothing. */
export function writePlugin(root: string, plugin: TestPlugin): string {
  const { name, provides = [], requires = [], settings, platforms } = plugin;
  const table = (entries: readonly { readonly port: string; readonly name?: string }[]): string =>
    JSON.stringify(Object.fromEntries(entries.map((it, i) => [`key${i}`, { port: { id: it.port }, name: it.name }])));
  const services = `Object.fromEntries(Object.keys(provides).map((key) => [key, { from: '${name}', required, context }]))`;
  return writePackage(root, {
    name,
    a3sBox: {
      apiVersion: 1,
      plugin: './plugin.js',
      provides,
      requires,
      platforms,
      ...(settings === undefined ? {} : { settings: './settings.schema.json' }),
    },
    code: `const provides = ${table(provides)};
      export default {
        provides,
        requires: ${table(requires)},
        async activate(context, required) {
          const services = ${services};
          ${plugin.activate ?? 'return { services };'}
        },
      };`,
    ...(settings === undefined ? {} : { files: { 'settings.schema.json': JSON.stringify(settings) } }),
  });
}

/** A distribution of directories in this order. */
export function distributionOf(directories: readonly string[], rest: Partial<Distribution> = {}): Distribution {
  const plugins = directories.map((path): PluginSource => ({ kind: 'directory', path, required: false }));
  return { file: 'test', plugins, defaults: {}, settings: {}, ...rest };
}

/** Makes a package findable by name from a directory, as `npm install <directory>` does. */
export function linkPackage(from: string, name: string, target: string): void {
  const link = join(from, 'node_modules', name);
  mkdirSync(dirname(link), { recursive: true });
  symlinkSync(target, link);
}
