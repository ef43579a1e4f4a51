/**
 * The supervisor's process: `node supervisor.js --home DIR [--distribution FILE] [--ready-descriptor N]`. Clients start
 * it; it reports on the descriptor as `BoxClient.connect` says, and logs to stderr.
 */
import { closeSync, writeSync } from 'node:fs';
import module from 'node:module';
import { homedir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    home: { type: 'string', default: '' },
    distribution: { type: 'string' },
    'ready-descriptor': { type: 'string' },
  },
});
const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

process.umask(0o077);
module.enableCompileCache(path('cache'));
const [{ asBoxError, hostPlatform }, { PinoLogger, runSupervisor }] = await Promise.all([
  import('@a3s-box/core'),
  import('@a3s-box/core/host'),
]);

let reported = values['ready-descriptor'] === undefined;
function report(line: object): void {
  if (reported) return;
  reported = true;
  const descriptor = Number(values['ready-descriptor']);
  writeSync(descriptor, `${JSON.stringify(line)}\n`);
  closeSync(descriptor);
}

/** As curl reads them: in lower case first, and HTTP_PROXY in capitals too. */
function proxyOf(environment: NodeJS.ProcessEnv): { http?: string; https?: string; noProxy?: string } {
  const of = (name: string): string | undefined => environment[name.toLowerCase()] ?? environment[name];
  const [http, https, noProxy] = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'].map(of);
  return {
    ...(http !== undefined && { http }),
    ...(https !== undefined && { https }),
    ...(noProxy !== undefined && { noProxy }),
  };
}

const ending = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => ending.abort());

const level = process.env['A3S_BOX_DEBUG'] ? 'debug' : 'info';
using logger = PinoLogger.open({ level, destination: { descriptor: 2 } });
try {
  await runSupervisor({
    home: values.home,
    distribution: values.distribution,
    systemDistribution: hostPlatform().systemDistribution({ environment: process.env, userDirectory: homedir() }),
    builtInDistribution: path('../distribution.json'),
    resolveFrom: [path('..')],
    logger,
    shareProgram: { configured: process.env['A3S_BOX_VIRTIOFSD'] || undefined, path: process.env['PATH'] ?? '' },
    registryDefaults: { certificates: '/etc/docker/certs.d', proxy: proxyOf(process.env) },
    ready: () => report({ ready: true }),
    signal: ending.signal,
  });
} catch (error) {
  const { code, message, hint } = asBoxError(error);
  logger.error({ code, error }, 'the supervisor failed');
  report({ error: { code, message, hint } });
  process.exitCode = 1;
}
