// A socket to a provider, with the stages that nodemailer would report as one: name, TCP, TLS.
import { lookup } from 'node:dns/promises';
import { connect as connectTcp, isIP, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { RouteSetting } from '../../deploy/environment.ts';
import type { StageTracker } from './stages.ts';

/** Addresses get this long each, so that a broken IPv6 path costs little of the time the route has. */
const perAddressMs = 2_500;

/**
 * Resolves the host, tries its addresses in turn, and completes TLS where the port speaks it from the start.
 * The certificate is always verified, for the host's name.
 *
 * @throws what the system, or TLS, says; `tracker.stage` tells where. When `signal` aborts, its reason.
 */
export async function connect(
  route: RouteSetting,
  authorities: readonly string[],
  tracker: StageTracker,
  signal: AbortSignal,
): Promise<Socket> {
  tracker.enter('dns');
  const addresses = await unlessAborted(signal, lookup(route.host, { all: true, order: 'verbatim' }));

  tracker.enter('tcp');
  // The addresses are those of the stage before: Node asks for them again, and gets them without another query.
  const known: LookupFunction = (_host, _options, answer) => setImmediate(answer, null, addresses);
  const plain = connectTcp({
    host: route.host,
    port: route.port,
    lookup: known,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: perAddressMs,
    noDelay: true,
  });
  await ready(plain, 'connect', signal);
  if (route.tlsMode !== 'implicit') return plain;

  tracker.enter('tls');
  const secure: TLSSocket = connectTls({ socket: plain, ...tlsOptions(route, authorities) });
  await ready(secure, 'secureConnect', signal);
  return secure;
}

/** What both TLS modes share; nodemailer gets it for STARTTLS. */
export function tlsOptions(route: RouteSetting, authorities: readonly string[]) {
  return {
    host: route.host,
    ca: [...authorities],
    minVersion: 'TLSv1.2' as const,
    // Said by name, or NODE_TLS_REJECT_UNAUTHORIZED would decide it.
    rejectUnauthorized: true,
    // A name only: RFC 6066 §3 forbids addresses in SNI.
    ...(isIP(route.host) ? {} : { servername: route.host }),
  };
}

function ready(socket: Socket, event: 'connect' | 'secureConnect', signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: unknown) => {
      socket.off(event, settle).off('error', settle).off('close', closed);
      signal.removeEventListener('abort', abort);
      if (error === undefined) return resolve();
      // Whatever a dying socket still has to say is of no interest any more.
      socket.on('error', () => {});
      socket.destroy();
      reject(error);
    };
    const closed = () => settle(new Error('Connection closed unexpectedly'));
    const abort = () => settle(signal.reason);
    socket
      .once(event, () => settle())
      .once('error', settle)
      .once('close', closed);
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
  });
}

function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
