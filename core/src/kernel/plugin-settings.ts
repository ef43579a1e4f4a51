import { readFile } from 'node:fs/promises';
import { LeaveOut } from './plugin-fault.js';
import type { PluginManifest } from './plugin-manifest.js';
import { schemaProblems } from './schema-problems.js';

/** Settings of one plugin: plain JSON. */
export type Settings = Readonly<Record<string, unknown>>;

/** Settings of one plugin from both who may give them. */
export interface SettingsSources {
  /** The distribution's, which hold. */
  readonly locked: Settings;
  readonly user: Settings;
}

/**
 * The settings that a plugin gets: the user's under the distribution's, checked against its schema, with the schema's
 * defaults, frozen.
 * @throws LeaveOut when the user wants a locked setting otherwise, or the result is not what the schema says
 */
export async function settingsOf(manifest: PluginManifest, sources: SettingsSources): Promise<Settings> {
  const clashes = lockedClashes(sources.locked, sources.user);
  if (clashes.length > 0) {
    const problem = `the distribution holds these settings: ${clashes.join(', ')}`;
    throw new LeaveOut('settings', manifest.name, { problem, hint: 'take them out of your settings' });
  }
  const settings = structuredClone(merge(sources.user, sources.locked));
  if (manifest.settingsSchema === undefined) {
    if (Object.keys(settings).length === 0) return Object.freeze(settings);
    const names = Object.keys(settings).join(', ');
    const problem = `it takes no settings, and was given ${names}`;
    throw new LeaveOut('settings', manifest.name, { problem, hint: 'remove them' });
  }
  const problems = await problemsOf(settings, manifest, manifest.settingsSchema);
  if (problems.length > 0) {
    const problem = `its settings are wrong: ${problems.join('; ')}`;
    throw new LeaveOut('settings', manifest.name, { problem, hint: `see ${manifest.settingsSchema}` });
  }
  return deepFreeze(settings);
}

/** Places at which the user's settings differ from locked ones, as `a.b`. Objects are compared member by member. */
function lockedClashes(locked: Settings, user: Settings, place = ''): readonly string[] {
  return Object.entries(locked).flatMap(([key, value]) => {
    if (!Object.hasOwn(user, key)) return [];
    const wish = user[key];
    if (isObject(value) && isObject(wish)) return lockedClashes(value, wish, `${place}${key}.`);
    return JSON.stringify(value) === JSON.stringify(wish) ? [] : [`${place}${key}`];
  });
}

/** Member by member; `over` holds. Own properties only, whatever their names. */
function merge(under: Settings, over: Settings): Settings {
  const merged = new Map(Object.entries(under));
  for (const [key, value] of Object.entries(over)) {
    const below = merged.get(key);
    merged.set(key, isObject(value) && isObject(below) ? merge(below, value) : value);
  }
  return Object.fromEntries(merged);
}

/** Fills in defaults, too. The schema compiler costs more than most plugins, so it is loaded when it is needed only. */
async function problemsOf(settings: object, manifest: PluginManifest, file: string): Promise<readonly string[]> {
  try {
    const schema: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (Object.keys(settings).length === 0 && allowsNone(schema)) return [];
    const { Ajv2020 } = await import('ajv/dist/2020.js');
    const ajv = new Ajv2020({ allErrors: true, verbose: true, useDefaults: true });
    return schemaProblems(ajv.compile(schema as object), settings, 'settings');
  } catch (cause) {
    const problem = `the schema of its settings cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new LeaveOut('settings', manifest.name, { problem, hint: "tell the plugin's author", cause });
  }
}

const PLAIN_KEYWORDS = ['$schema', '$id', 'title', 'description', 'type', 'additionalProperties', 'properties'];

/** Whether no settings pass a schema and stay none; false where that takes more than a look. */
function allowsNone(schema: unknown): boolean {
  if (!isObject(schema) || schema['type'] !== 'object') return false;
  const isPlain = Object.keys(schema).every((keyword) => PLAIN_KEYWORDS.includes(keyword));
  return isPlain && !JSON.stringify(schema['properties'] ?? {}).includes('"default"');
}

function isObject(value: unknown): value is Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(deepFreeze);
  return Object.freeze(value);
}
