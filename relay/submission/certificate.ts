// The certificate for submitters: read, checked, and read again when its files change. New sessions get the new one,
// sessions that are open go on.
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { EnvironmentError, type Finding, type RelayEnvironment } from '../../deploy/environment.ts';
import type { Log } from '../../deploy/log.ts';

export type CertificateFiles = NonNullable<RelayEnvironment['relayTls']>;

/** Both in PEM, and a pair. */
export type Certificate = { readonly cert: Buffer; readonly key: Buffer };

/** How often the files are looked at. Names in a folder of Kubernetes are links, whose changes cannot be watched. */
const lookEveryMs = 5_000;

/** Throws an EnvironmentError that names everything that is wrong with the files. */
export function readCertificate({ certFile, keyFile }: CertificateFiles): Certificate {
  const faults: Finding[] = [];
  const cert = read('RELAY_TLS_CERT_FILE', certFile, faults);
  const key = read('RELAY_TLS_KEY_FILE', keyFile, faults);
  const certificate = cert && parse(() => new X509Certificate(cert), notACertificate(certFile), faults);
  const privateKey = key && parse(() => createPrivateKey(key), notAKey(keyFile), faults);
  if (certificate && privateKey) checkPair(certificate, privateKey, faults);
  if (!cert || !key || faults.length > 0) throw new EnvironmentError(faults);
  parse(() => createSecureContext({ cert, key }), notUsable(certFile), faults);
  if (faults.length > 0) throw new EnvironmentError(faults);
  return { cert, key };
}

/** Of the server's own certificate, which comes first. */
export const validUntil = ({ cert }: Pick<Certificate, 'cert'>): Date =>
  new X509Certificate(cert).validToDate;

/**
 * Calls `changed` with the certificate whenever the files hold another one. Files that are wrong are named in the log,
 * once, and the certificate that was read before stays.
 */
export function watchCertificate(
  files: CertificateFiles,
  current: Certificate,
  { log, changed }: { log: Log; changed: (certificate: Certificate) => void },
): Disposable {
  let used = current;
  let complaint = '';
  const timer = setInterval(() => {
    try {
      const found = readCertificate(files);
      complaint = '';
      if (found.cert.equals(used.cert) && found.key.equals(used.key)) return;
      changed(found);
      used = found;
      log.info(
        { event: 'certificate', validTo: new X509Certificate(found.cert).validTo },
        'Certificate for submitters reloaded',
      );
    } catch (error) {
      const { message } = error as Error;
      if (message === complaint) return;
      complaint = message;
      log.error(
        { event: 'certificate-refused', err: error },
        'New certificate for submitters refused; the old one stays in use',
      );
    }
  }, lookEveryMs);
  timer.unref();
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
    },
  };
}

type Fault = Pick<Finding, 'variable' | 'problem' | 'shape' | 'fix'>;

const finding = (fault: Fault): Finding => ({ ...fault, severity: 'problem', cause: 'env-value-garbage' });

function read(variable: string, path: string, faults: Finding[]): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code = 'error' } = error as NodeJS.ErrnoException;
    faults.push({
      ...finding({
        variable,
        problem:
          code === 'ENOENT'
            ? 'names a file that does not exist'
            : `names a file that cannot be read: ${code}`,
        shape: path,
        fix: 'Mount the file into the container of the relay, readable for user 1000.',
      }),
      cause: 'env-file-unreadable',
    });
    return undefined;
  }
}

function parse<T>(work: () => T, fault: Fault, faults: Finding[]): T | undefined {
  try {
    return work();
  } catch (error) {
    faults.push(finding({ ...fault, problem: `${fault.problem}: ${(error as Error).message}` }));
    return undefined;
  }
}

function checkPair(certificate: X509Certificate, key: KeyObject, faults: Finding[]): void {
  if (certificate.checkPrivateKey(key)) return;
  faults.push(
    finding({
      variable: 'RELAY_TLS_KEY_FILE',
      problem: 'is not the key of the certificate in RELAY_TLS_CERT_FILE',
      shape: `certificate of ${certificate.subject.replaceAll('\n', ', ')}`,
      fix: "Give the key that the certificate was made with; the server's certificate comes first in its file.",
    }),
  );
}

const notACertificate = (path: string): Fault => ({
  variable: 'RELAY_TLS_CERT_FILE',
  problem: 'holds no certificate in PEM',
  shape: path,
  fix: "The file begins with -----BEGIN CERTIFICATE-----: the server's certificate first, then its chain.",
});

const notAKey = (path: string): Fault => ({
  variable: 'RELAY_TLS_KEY_FILE',
  problem: 'holds no private key in PEM without a passphrase',
  shape: path,
  fix: 'The file begins with -----BEGIN PRIVATE KEY-----.',
});

const notUsable = (path: string): Fault => ({
  variable: 'RELAY_TLS_CERT_FILE',
  problem: 'cannot be used for TLS',
  shape: path,
  fix: 'Create a certificate with a current key: RSA of 2048 bits or more, or an elliptic curve.',
});
