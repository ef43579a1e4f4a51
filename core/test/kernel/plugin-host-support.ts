import { join } from 'node:path';
import { definePort } from '@a3s-box/core';
import { PluginHost, type PluginHostOptions } from '@a3s-box/core/host';
import { distributionOf, RecordingLogger, temporaryDirectory, writePlugin, type TestPlugin } from './support.ts';

/** What the services of test plugins are. */
export interface TestService {
  readonly from: string;
  readonly required: Readonly<Record<string, TestService>>;
  readonly context: { readonly settings: object; readonly stateDirectory: string };
}
export const ClockPort = definePort<TestService>('test.clock.v1');
export const GreeterPort = definePort<TestService>('test.greeter.v1');
export const sun = { port: ClockPort.id, name: 'sun' };
export const moon = { port: ClockPort.id, name: 'moon' };
export const plain = { port: GreeterPort.id, name: 'plain' };

/** Starts a host with these plugins, tells of it, and stops it. */
export async function withPlugins(
  plugins: readonly TestPlugin[],
  check: (host: PluginHost, logger: RecordingLogger, root: string) => void | Promise<void>,
  options: Partial<PluginHostOptions> = {},
): Promise<RecordingLogger> {
  using tmp = temporaryDirectory();
  const logger = new RecordingLogger();
  const directories = plugins.map((it) => writePlugin(tmp.path, it));
  await using host = await PluginHost.start({
    distribution: distributionOf(directories),
    resolveFrom: [],
    stateDirectory: join(tmp.path, 'state'),
    logger,
    signal: new AbortController().signal,
    ...options,
  });
  await check(host, logger, tmp.path);
  await host[Symbol.asyncDispose]();
  return logger;
}

export const states = (host: PluginHost) => Object.fromEntries(host.plugins.map(({ name, state }) => [name, state]));
export const kinds = (host: PluginHost) => host.faults.map(({ plugin, kind }) => `${plugin}: ${kind}`);

/** An `activate` and a `dispose` that tell the test when they ran. */
export const tracing = (name: string, wait = 0) =>
  `(globalThis.trace ??= []).push('+${name}');
   await new Promise((resolve) => setTimeout(resolve, ${wait}));
   return { services, async dispose() { globalThis.trace.push('-${name}'); } };`;

export function takeTrace(): readonly string[] {
  const holder = globalThis as { trace?: string[] };
  const trace = holder.trace ?? [];
  delete holder.trace;
  return trace;
}
