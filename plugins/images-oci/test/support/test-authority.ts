/** A certificate authority of the test's own. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './programs.ts';

export interface TestAuthority {
  /** Path of its certificate. */
  readonly certificate: string;
  /** Makes a certificate for names and addresses. @returns the paths of it and its key */
  issue(name: string, subjects: readonly string[]): { readonly certificate: string; readonly key: string };
}

export function testAuthority(directory: string): TestAuthority {
  const at = (file: string): string => join(directory, file);
  const openssl = (...args: string[]): string => run('openssl', args);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.pem'),
    '-days',
    '2',
    '-subj',
    '/CN=test CA',
  );
  return {
    certificate: at('ca.pem'),
    issue(name, subjects) {
      const [key, request, certificate] = [at(`${name}.key`), at(`${name}.csr`), at(`${name}.pem`)];
      openssl('req', ...newKey, '-keyout', key, '-out', request, '-subj', `/CN=${name}`);
      writeFileSync(at(`${name}.ext`), `subjectAltName=${subjects.join(',')}\n`);
      const signing = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2'];
      openssl('x509', '-req', '-in', request, ...signing, '-extfile', at(`${name}.ext`), '-out', certificate);
      return { certificate, key };
    },
  };
}

/** The certificate without its armour, as tokens carry it. */
export function derOf(certificate: string): string {
  return readFileSync(certificate, 'utf8').replace(/-----[A-Z ]+-----|\s/g, '');
}
