import { isAbsolute } from 'node:path';
import { BoxError } from '../errors/box-error.js';

/** Where metrics are served. */
export type MetricsAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: '127.0.0.1' | '::1'; readonly port: number };

/** Names that stand for this machine's loopback. */
const LOOPBACK: Readonly<Record<string, '127.0.0.1' | '::1'>> = {
  '127.0.0.1': '127.0.0.1',
  localhost: '127.0.0.1',
  '[::1]': '::1',
};
const PORT = /^(.*):(\d{1,5})$/;
const HIGHEST_PORT = 65_535;

/**
 * @param text `unix:/absolute/path`, `127.0.0.1:PORT`, `localhost:PORT` or `[::1]:PORT`; port 0: one is chosen
 * @throws INVALID_ARGUMENT for anything else: whoever reaches the address reads names and images of boxes
 */
export function parseMetricsAddress(text: string): MetricsAddress {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    if (isAbsolute(path)) return { kind: 'unix', path };
    throw refused(text, 'the path of its socket is not absolute');
  }
  const [, name = '', digits = ''] = PORT.exec(text) ?? [];
  if (digits === '') throw refused(text, 'it has no port');
  const host = Object.hasOwn(LOOPBACK, name) ? LOOPBACK[name] : undefined;
  if (host === undefined) throw refused(text, `"${name}" is not the loopback: others could read it`);
  const port = Number(digits);
  if (port > HIGHEST_PORT) throw refused(text, `there is no port ${digits}`);
  return { kind: 'tcp', host, port };
}

/** As {@link parseMetricsAddress} reads it. */
export function metricsAddressText(address: MetricsAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  return `${address.host === '::1' ? '[::1]' : address.host}:${address.port}`;
}

function refused(text: string, why: string): BoxError {
  return new BoxError('INVALID_ARGUMENT', `metrics cannot be served at "${text}": ${why}`, {
    hint: 'give unix:/absolute/path, 127.0.0.1:PORT or [::1]:PORT',
  });
}
