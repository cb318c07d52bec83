// Submission (RFC 6409): who may speak here, what they may say, and the one sentence that makes their mail ours.
// A 250 after the final dot means: committed to PostgreSQL.
import type { AddressInfo } from 'node:net';
import { measureBudgets, openBudget } from '../../deploy/budget.ts';
import type { Database } from '../../deploy/database.ts';
import type { RelayEnvironment } from '../../deploy/environment.ts';
import { type Log, maskAddress } from '../../deploy/log.ts';
import type { Metrics } from '../../deploy/metrics.ts';
import { alwaysAwake, type Sleep } from '../../deploy/sleep.ts';
import { normalizeAddress } from '../client/address/address.ts';
import { isAllowedSender } from '../client/address/allowed-senders.ts';
import { openLastUse } from '../client/keys/last-use.ts';
import { firstStatusBy } from '../policy/first-status.ts';
import type { Offering } from '../policy/offer.ts';
import { type Committed, openAcceptance } from './accept.ts';
import { openAuthentication } from './authenticate.ts';
import { readCertificate, validUntil, watchCertificate } from './certificate.ts';
import { type SubmissionOptions, SubmissionServer } from './connection.ts';
import { openCredentials } from './credentials.ts';
import { credentialOf, judgeRecipient, judgeSender } from './envelope.ts';
import { openKeys, type SenderRule } from './keys.ts';
import { openLimits } from './limits.ts';
import { openLogins } from './logins.ts';
import { clearAuthHint, openNetworks, readDefaultGateways } from './networks.ts';
import { asReplyError, type Refusal, refuse } from './refusal.ts';
import { openRefusals } from './refusals.ts';
import { openSessions } from './sessions.ts';
import { openMessageTaker } from './take-message.ts';

export type SubmissionListener = AsyncDisposable & {
  readonly port: number;
  /** Of RELAY_TLS_PORT, where it is set. */
  readonly tlsPort: number | undefined;
  readonly sessions: number;
  /** Messages read and waiting for their commit. */
  readonly waiting: number;
  /** To be called when a key may have been changed. */
  lookAtKeys(): void;
};

export type SubmissionSettings = Pick<
  RelayEnvironment,
  | 'relayPort'
  | 'relayBind'
  | 'relayUser'
  | 'relayPassword'
  | 'relayUsers'
  | 'relayTrustedNetworks'
  | 'relayClearAuthFrom'
  | 'relayTls'
  | 'relayTlsPort'
  | 'relayMaxMessageSize'
  | 'relaySenderRewrite'
  | 'from'
  | 'deliveryMode'
  | 'deliveryAllowlist'
  | 'providers'
  | 'missing'
  | 'problems'
  | 'logAddresses'
>;

const mostSessions = 1_000;
// RFC 5321 section 4.5.3.1.8 asks for at least 100.
const mostRecipients = 1_000;
// RFC 5321 section 4.5.3.2.7: a server waits at least five minutes for the next command.
const idleMs = 5 * 60_000;
/** For all bodies in memory together; RSS stays a small multiple of it whatever the clients send. */
const budgetBytes = 64 * 1024 * 1024;

/**
 * Listens until disposed; disposing ends idle sessions with 421, finishes messages in DATA and takes at most 20 s.
 * Rejects when the port or the certificate cannot be had. Long because all parts are put together here and in no other
 * place.
 *
 * @param allowedSenders addresses, `*@domain` or `*`
 * @param hostname what this relay calls itself in its greeting and in Received
 * @param handOff takes mail in the very commit that makes it ours
 * @param committed called after each commit that made new mail ours
 */
export async function listenSubmission({
  settings,
  allowedSenders,
  hostname,
  database,
  log,
  metrics,
  handOff,
  committed,
  sleep = alwaysAwake,
}: {
  settings: SubmissionSettings;
  allowedSenders: readonly string[];
  hostname: string;
  database: Database;
  log: Log;
  metrics?: Metrics;
  handOff: Offering;
  committed: Committed;
  sleep?: Sleep;
}): Promise<SubmissionListener> {
  const networks = openNetworks(
    settings.relayTrustedNetworks,
    readDefaultGateways(),
    settings.relayClearAuthFrom,
  );
  const credentials = openCredentials([
    { name: settings.relayUser, password: settings.relayPassword },
    ...settings.relayUsers,
  ]);
  const budget = openBudget(budgetBytes);
  if (metrics) measureBudgets(metrics, { messages: budget });
  const acceptance = openAcceptance({
    database,
    log,
    handOff(messages) {
      // A client may take longer for a message than this process is awake without one.
      sleep.stir();
      return handOff(messages);
    },
    committed,
  });
  const disabled = settings.relayTls ? neverOffered : [...neverOffered, 'STARTTLS'];
  const show = settings.logAddresses === 'full' ? (address: string) => address : maskAddress;
  const refusals = openRefusals({ database, log, metrics, show });

  const common: SenderRule = {
    allowed: allowedSenders,
    setBy: 'SMTP_ALLOWED_SENDERS',
    rewriteTo: rewriteAddressOf(settings, allowedSenders),
  };
  const keys = openKeys({ q: database, common, log, sleep });
  const limits = openLimits(database, log);
  const lastUse = openLastUse(database, log);
  const sendersOf = (session: object) => keys.of(session)?.senders ?? common;
  const rewritten = metrics?.counter({
    name: 'postern_submission_rewritten_total',
    help: 'Submitted messages whose sender was changed by RELAY_SENDER_REWRITE.',
  });

  const logins = openLogins({ q: database, credentials, keys, log });
  const { authenticate, triedName } = openAuthentication(logins);
  const sessions = openSessions({
    networks,
    disabled,
    makeRoom: (address) => servers.some((each) => each.endIdleStranger(address)),
    log,
  });
  const takeMessage = openMessageTaker({
    database,
    log,
    budget,
    acceptance,
    networks,
    sendersOf,
    keyOf: keys.of,
    limits,
    hostname,
    ownCredential: settings.relayUser,
    firstStatus: firstStatusBy(settings),
    show,
    rewritten,
  });

  const certificate = settings.relayTls && readCertificate(settings.relayTls);
  const options: SubmissionOptions = {
    ...(certificate && { ...certificate, minVersion: 'TLSv1.2' }),
    disabledCommands: disabled,
    name: hostname,
    banner: 'Postern',
    heloResponse: '%s',
    size: settings.relayMaxMessageSize,
    rejectOversized: true,
    authMethods: ['PLAIN', 'LOGIN'],
    // Whether a session needs a login depends on where it comes from: MAIL asks.
    authOptional: true,
    allowInsecureAuth: true,
    hideENHANCEDSTATUSCODES: false,
    hideDSN: false,
    disableReverseLookup: true,
    logger: false,
    maxClients: mostSessions,
    maxRecipients: mostRecipients,
    socketTimeout: idleMs,
    onConnect: (session, callback) => callback(errorFor(sessions.greet(session))),
    onSecure(_socket, session, callback) {
      session.disabledCommands = disabled;
      callback();
    },
    onAuth(auth, session, callback) {
      sleep.stir();
      authenticate(auth, session, callback);
    },
    onMailFrom(address, session, callback) {
      sleep.stir();
      const key = keys.of(session);
      if (key) lastUse.note(key.id);
      const refusal =
        (key && limits.refusalOf(key)) ??
        judgeSender(session, address, { networks, senders: key?.senders ?? common });
      const error = errorFor(refusal);
      // Not at once: smtp-server 3.21 forgets to go on when a whole second message, pipelined behind the first,
      // is read before its own answer to the first has returned.
      queueMicrotask(() => callback(error));
    },
    onRcptTo: (address, session, callback) => callback(errorFor(judgeRecipient(session, address))),
    onData: takeMessage,
    onClose(session) {
      keys.forget(session);
      sessions.forget(session);
    },
    mayGoOn(session) {
      const ended = keys.of(session)?.ended;
      return ended === undefined ? undefined : refuse(421, '4.7.13', ended);
    },
    ehloNote: (client) => (networks.hidesClients(client) ? clearAuthHint(client) : undefined),
    onTlsInVain: (client, hint) => log.warn({ event: 'tls-in-vain', client }, hint),
    onRefused: (session, refused) => {
      const credential = credentialOf({ user: session.user, remoteAddress: refused.client }, networks);
      refusals.note({ ...refused, credential: credential ?? triedName(session) ?? '' });
    },
  };
  const ports = [
    { port: settings.relayPort, secure: false },
    ...(certificate && settings.relayTlsPort !== undefined
      ? [{ port: settings.relayTlsPort, secure: true }]
      : []),
  ];
  // Each with options of its own: smtp-server changes them in place.
  const servers = ports.map(({ secure }) => new SubmissionServer({ ...options, secure }));
  for (const server of servers) {
    server.on('error', (error) => log.debug({ err: error }, 'Submission session lost'));
  }

  using started = new DisposableStack();
  const listening: AddressInfo[] = [];
  for (const [index, { port }] of ports.entries()) {
    const server = servers[index] as SubmissionServer;
    listening.push(await listen(server, port, settings.relayBind));
    // Nobody listens on one port alone when the other one cannot be had.
    started.defer(() => void server.stop());
  }
  started.move();
  let offered = certificate;
  metrics?.gauge({
    name: 'postern_submission_certificate_valid_until_seconds',
    help: 'When the certificate for submitters runs out, in seconds since 1970; nothing where there is none.',
    read: async () => (offered ? [{ value: validUntil(offered).getTime() / 1_000 }] : []),
  });
  const watch =
    settings.relayTls &&
    certificate &&
    watchCertificate(settings.relayTls, certificate, {
      log,
      changed: (found) => {
        for (const server of servers) server.updateSecureContext({ ...found });
        offered = found;
      },
    });

  return {
    port: (listening[0] as AddressInfo).port,
    tlsPort: listening[1]?.port,
    get sessions() {
      return servers.reduce((sessions, { connections }) => sessions + connections.size, 0);
    },
    get waiting() {
      return acceptance.waiting;
    },
    lookAtKeys: keys.look,
    async [Symbol.asyncDispose]() {
      watch?.[Symbol.dispose]();
      await Promise.all(servers.map((server) => server.stop()));
      await Promise.all([refusals, keys, lastUse].map((each) => each[Symbol.asyncDispose]()));
    },
  };
}

/** Who speaks instead of those who may not: somebody who may. */
function rewriteAddressOf(
  { relaySenderRewrite, from }: SubmissionSettings,
  allowed: readonly string[],
): string | undefined {
  if (relaySenderRewrite !== 'on' || from === undefined) return undefined;
  const address = normalizeAddress(from.email);
  return isAllowedSender(address, allowed) ? address : undefined;
}

async function listen(server: SubmissionServer, port: number, bind: string): Promise<AddressInfo> {
  const listening = Promise.withResolvers<void>();
  server.once('error', listening.reject);
  const tcp = server.listen(port, bind, listening.resolve);
  await listening.promise;
  server.off('error', listening.reject);
  return tcp.address() as AddressInfo;
}

// Sendmail's jokes, and the commands with which a proxy speaks for others.
const neverOffered = ['WIZ', 'SHELL', 'KILL', 'XCLIENT', 'XFORWARD'];

const errorFor = (refusal: Refusal | undefined) => (refusal ? asReplyError(refusal) : undefined);
