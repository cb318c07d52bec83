// TLS as the doctor wants it: the handshake is completed whatever the certificate says, so that it can be shown;
// whether it can be trusted is judged afterwards, and nothing is said over a connection that cannot.
import type { Socket } from 'node:net';
import { checkServerIdentity, connect, type PeerCertificate, type TLSSocket } from 'node:tls';
import type { CertificateReport } from './examination.ts';

export type Handshake = {
  readonly socket: TLSSocket;
  readonly certificate: CertificateReport;
  /** Why the certificate is not good for this host. */
  readonly doubt: Error | undefined;
};

// Node tells the code only; these are OpenSSL's words for it, which people search for.
const words: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'certificate has expired',
  CERT_NOT_YET_VALID: 'certificate is not yet valid',
  CERT_REVOKED: 'certificate revoked',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'self-signed certificate',
  SELF_SIGNED_CERT_IN_CHAIN: 'self-signed certificate in certificate chain',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'unable to verify the first certificate',
  UNABLE_TO_GET_ISSUER_CERT: 'unable to get issuer certificate',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'unable to get local issuer certificate',
};

/** @param options host, servername and authorities, as delivery uses them (relay/smtp/connect.ts) */
export function startTls(
  plain: Socket,
  options: { host: string; ca: string[]; minVersion: 'TLSv1.2'; servername?: string },
  signal: AbortSignal,
): Promise<Handshake> {
  return new Promise((resolve, reject) => {
    const socket = connect({ socket: plain, ...options, rejectUnauthorized: false });
    const settle = (error: unknown) => {
      signal.removeEventListener('abort', abort);
      socket.on('error', () => {}).destroy();
      plain.destroy();
      reject(error);
    };
    const abort = () => settle(signal.reason);
    const closed = () => settle(new Error('Connection closed unexpectedly during the TLS handshake'));
    signal.addEventListener('abort', abort);
    if (signal.aborted) return abort();
    socket
      .once('error', settle)
      .once('close', closed)
      .once('secureConnect', () => {
        signal.removeEventListener('abort', abort);
        socket.off('error', settle).off('close', closed);
        const peer = socket.getPeerCertificate(true);
        const doubt = doubtOf(socket, peer, options.host);
        resolve({ socket, doubt, certificate: describe(socket, peer, doubt) });
      });
  });
}

function doubtOf(socket: TLSSocket, peer: PeerCertificate, host: string): Error | undefined {
  if (socket.authorized) return undefined;
  const code = String(socket.authorizationError ?? 'UNKNOWN');
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const mismatch = checkServerIdentity(host, peer);
    if (mismatch) return mismatch;
  }
  return Object.assign(new Error(words[code] ?? code), { code });
}

function describe(socket: TLSSocket, peer: PeerCertificate, doubt: Error | undefined): CertificateReport {
  return {
    subject: nameOf(peer.subject),
    issuer: nameOf(peer.issuer),
    names: (peer.subjectaltname ?? '').split(', ').filter((name) => name !== ''),
    validFrom: peer.valid_from ?? '',
    validTo: peer.valid_to ?? '',
    protocol: socket.getProtocol(),
    cipher: socket.getCipher().standardName,
    problem: doubt?.message ?? null,
  };
}

function nameOf(name: PeerCertificate['subject'] | undefined): string {
  const part = name?.CN ?? name?.O ?? '';
  return Array.isArray(part) ? part.join(', ') : part;
}
