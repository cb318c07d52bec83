// Submission (RFC 6409): who may speak here, what they may say, and the one sentence that makes their mail ours.
// A 250 after the final dot means: committed to PostgreSQL.
import type { AddressInfo } from 'node:net';
import type {
  SMTPServerAddress,
  SMTPServerAuthentication,
  SMTPServerDataStream,
  SMTPServerOptions,
  SMTPServerSession,
} from 'smtp-server';
import { measureBudgets, openBudget } from '../../deploy/budget.ts';
import { type Database, isUnavailable } from '../../deploy/database.ts';
import type { RelayEnvironment } from '../../deploy/environment.ts';
import { type Log, maskAddress } from '../../deploy/log.ts';
import type { Metrics } from '../../deploy/metrics.ts';
import { normalizeAddress } from '../client/address/address.ts';
import { firstStatusBy, statusOfAll } from '../policy/first-status.ts';
import { isAllowedSender } from '../policy/senders.ts';
import { newQueueId } from '../queue-id.ts';
import { openAcceptance } from './accept.ts';
import { readCertificate, validUntil, watchCertificate } from './certificate.ts';
import { type SubmissionOptions, SubmissionServer } from './connection.ts';
import { openCredentials } from './credentials.ts';
import { messageRequestOf, recipientRequestOf } from './dsn-connection.ts';
import { openLogins } from './logins.ts';
import { openNetworks, readDefaultGateways } from './networks.ts';
import { receive } from './receive.ts';
import { receivedField } from './received.ts';
import {
  asReplyError,
  databaseAway,
  diskFull,
  ourMistake,
  type Refusal,
  refuse,
  senderNotAllowed,
  wantsAuth,
} from './refusal.ts';
import { openRefusals } from './refusals.ts';
import { repeatOf } from './repeat.ts';

export type SubmissionListener = AsyncDisposable & {
  readonly port: number;
  /** Of RELAY_TLS_PORT, where it is set. */
  readonly tlsPort: number | undefined;
  readonly sessions: number;
  /** Messages read and waiting for their commit. */
  readonly waiting: number;
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
const mostSessionsPerClient = 500;
// RFC 5321 section 4.5.3.1.8 asks for at least 100.
const mostRecipients = 1_000;
// RFC 5321 section 4.5.3.2.7: a server waits at least five minutes for the next command.
const idleMs = 5 * 60_000;
// Housekeeping sweeps parts that have no message after an hour; long before, their message is given up.
const longestMs = 30 * 60_000;
/** For all bodies in memory together; RSS stays a small multiple of it whatever the clients send. */
const budgetBytes = 64 * 1024 * 1024;

/**
 * Listens until disposed; disposing ends idle sessions with 421, finishes messages in DATA and takes at most 20 s.
 * Rejects when the port or the certificate cannot be had.
 *
 * @param allowedSenders addresses, `*@domain` or `*`
 * @param hostname what this relay calls itself in its greeting and in Received
 * @param committed called after each commit that made new mail ours
 */
export async function listenSubmission({
  settings,
  allowedSenders,
  hostname,
  database,
  log,
  metrics,
  committed,
}: {
  settings: SubmissionSettings;
  allowedSenders: readonly string[];
  hostname: string;
  database: Database;
  log: Log;
  metrics?: Metrics;
  committed: () => void;
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
  const logins = openLogins(database, credentials, log);
  const budget = openBudget(budgetBytes);
  if (metrics) measureBudgets(metrics, { messages: budget });
  const acceptance = openAcceptance({ database, log, committed });
  const firstStatus = firstStatusBy(settings);
  const sessionsOf = new Map<string, number>();
  const counted = new WeakSet<SMTPServerSession>();
  const triedNames = new WeakMap<SMTPServerSession, string>();
  const disabled = settings.relayTls ? neverOffered : [...neverOffered, 'STARTTLS'];
  const show = settings.logAddresses === 'full' ? (address: string) => address : maskAddress;
  const refusals = openRefusals({ database, log, metrics, show });

  const rewriteTo = rewriteAddressOf(settings, allowedSenders);
  const rewritten = metrics?.counter({
    name: 'postern_submission_rewritten_total',
    help: 'Submitted messages whose sender was changed by RELAY_SENDER_REWRITE.',
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
    onConnect: (session, callback) => callback(errorFor(greet(session))),
    onSecure(_socket, session, callback) {
      session.disabledCommands = disabled;
      callback();
    },
    onAuth: authenticate,
    onMailFrom(address, session, callback) {
      const error = errorFor(judgeSender(session, address));
      // Not at once: smtp-server 3.21 forgets to go on when a whole second message, pipelined behind the first,
      // is read before its own answer to the first has returned.
      queueMicrotask(() => callback(error));
    },
    onRcptTo: (address, session, callback) => callback(errorFor(judgeRecipient(session, address))),
    onData: takeMessage,
    onClose: forget,
    ehloNote: (client) => (networks.hidesClients(client) ? clearAuthHint(client) : undefined),
    onTlsInVain: (client, hint) => log.warn({ event: 'tls-in-vain', client }, hint),
    onRefused: (session, refused) => {
      const credential = credentialOf({ user: session.user, remoteAddress: refused.client });
      refusals.note({ ...refused, credential: credential ?? triedNames.get(session) ?? '' });
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

  function greet(session: SMTPServerSession): Refusal | undefined {
    const { remoteAddress } = session;
    const sessions = (sessionsOf.get(remoteAddress) ?? 0) + 1;
    sessionsOf.set(remoteAddress, sessions);
    counted.add(session);
    if (sessions > mostSessionsPerClient && !servers.some((each) => each.endIdleStranger(remoteAddress))) {
      return refuse(421, '4.7.0', `Too many sessions from ${remoteAddress}`);
    }
    if (!session.secure && !networks.mayLogInClear(remoteAddress)) {
      session.disabledCommands = [...disabled, 'AUTH'];
      if (networks.hidesClients(remoteAddress)) {
        log.warn({ event: 'clear-auth-not-offered', client: remoteAddress }, clearAuthHint(remoteAddress));
      }
    }
    return undefined;
  }

  function forget(session: SMTPServerSession): void {
    if (!counted.has(session)) return;
    const { remoteAddress } = session;
    const left = (sessionsOf.get(remoteAddress) ?? 1) - 1;
    if (left > 0) sessionsOf.set(remoteAddress, left);
    else sessionsOf.delete(remoteAddress);
  }

  function authenticate(
    { username = '', password }: SMTPServerAuthentication,
    session: SMTPServerSession,
    callback: Parameters<NonNullable<SMTPServerOptions['onAuth']>>[2],
  ): void {
    const address = session.remoteAddress;
    triedNames.set(session, username);
    logins.judge({ session, address, name: username, password: password ?? '' }).then((login) => {
      if (login.outcome === 'passed') return callback(null, { user: username });
      if (login.outcome === 'failed') {
        return callback(asReplyError(refuse(535, '5.7.8', 'Authentication credentials invalid')));
      }
      const { seconds } = login;
      callback(asReplyError(refuse(454, '4.7.0', `Too many failed logins, try again in ${seconds} s`)));
    }, callback);
  }

  /** The credential, or the trusted network that stands in for one; undefined for strangers. */
  function credentialOf({
    user,
    remoteAddress,
  }: Pick<SMTPServerSession, 'user' | 'remoteAddress'>): string | undefined {
    return typeof user === 'string' ? user : networks.trusted(remoteAddress);
  }

  function judgeSender(
    session: SMTPServerSession,
    { address, args }: SMTPServerAddress,
  ): Refusal | undefined {
    const unknown = unknownParameter(args, mailParameters);
    if (unknown) return unknown;
    if (credentialOf(session) === undefined) {
      if (session.secure || networks.mayLogInClear(session.remoteAddress)) return wantsAuth;
      return networks.hidesClients(session.remoteAddress)
        ? refuse(530, '5.7.0', `Authentication required. ${clearAuthHint(session.remoteAddress)}`)
        : refuse(
            530,
            '5.7.0',
            'Authentication required, and from here only after STARTTLS (RELAY_TLS_CERT_FILE)',
          );
    }
    // The null sender is how bounces travel (RFC 5321 section 4.5.5); the header From still has to be allowed.
    // With RELAY_SENDER_REWRITE it is judged together with the header.
    if (address !== '' && rewriteTo === undefined && !isAllowedSender(address, allowedSenders)) {
      return senderNotAllowed(address, 'MAIL FROM', allowedSenders);
    }
    return judgeCharacters(session, address);
  }

  function judgeRecipient(
    session: SMTPServerSession,
    { address, args }: SMTPServerAddress,
  ): Refusal | undefined {
    const unknown = unknownParameter(args, recipientParameters);
    if (unknown) return unknown;
    // smtp-server lets a bare "postmaster" pass, but no mailbox lives here.
    if (!address.includes('@')) return refuse(553, '5.1.3', 'The recipient needs a domain');
    return judgeCharacters(session, address);
  }

  /** RFC 6531 section 3.4: an address with a non-ASCII local part needs SMTPUTF8, which the client has to ask for. */
  function judgeCharacters({ envelope }: SMTPServerSession, address: string): Refusal | undefined {
    if (envelope.smtpUtf8 || isAscii(normalizeAddress(address))) return undefined;
    return refuse(553, '5.6.7', 'The address is not ASCII and MAIL did not say SMTPUTF8');
  }

  function takeMessage(
    stream: SMTPServerDataStream,
    session: SMTPServerSession,
    callback: (error?: Error | null, text?: string) => void,
  ): void {
    const queueId = newQueueId();
    answerFor(stream, session, queueId).then(
      (answer) => {
        if (typeof answer === 'string') {
          callback(null, `2.0.0 queued as ${answer}`);
          return;
        }
        callback(asReplyError(answer));
      },
      (error) => {
        callback(asReplyError(explain(error, queueId)));
      },
    );
  }

  /** The queue id of a message that is ours now, or why it is not. Rejects when the client or the database goes away. */
  async function answerFor(
    stream: SMTPServerDataStream,
    session: SMTPServerSession,
    queueId: string,
  ): Promise<string | Refusal> {
    const credential = credentialOf(session) as string;
    const { envelope, remoteAddress } = session;
    const sender = normalizeAddress(envelope.mailFrom ? envelope.mailFrom.address : '');
    const recipients = envelope.rcptTo.map(({ address }) => normalizeAddress(address));
    const smtputf8Asked = envelope.smtpUtf8 === true;
    const protocol = protocolOf(session, smtputf8Asked);
    const now = new Date();

    const received = await receive({
      stream,
      queueId,
      database,
      budget,
      question: {
        allowed: allowedSenders,
        mailFrom: sender,
        rewriteTo,
        mayHandOverEmails: credential === settings.relayUser,
        now,
      },
      trace: () =>
        receivedField({
          helo: session.hostNameAppearsAs || '',
          address: remoteAddress,
          by: hostname,
          protocol,
          queueId,
          at: now,
        }),
      longestMs,
      digestOf: `${credential}\n${sender}\n${recipients.toSorted().join('\n')}\n\n`,
    });
    if ('code' in received) return received;
    using message = received;

    const { admission } = message;
    const statuses = recipients.map((address, at) => ({
      address,
      ...firstStatus(address),
      ...recipientRequestOf(envelope.rcptTo[at] as object),
    }));
    const result = await acceptance.accept({
      queueId,
      credential,
      client: remoteAddress,
      email: admission.email,
      ...repeatOf(message),
      sender: admission.mailFrom,
      were: admission.were,
      headerFrom: admission.headerFrom,
      messageId: admission.messageId,
      size: message.size,
      smtputf8: smtputf8Asked && admission.eightBitHeader,
      eightBit: message.eightBit,
      ...messageRequestOf(envelope.mailFrom),
      status: statusOfAll(statuses),
      recipients: statuses,
      content: message.content,
    });
    if (result.outcome !== 'accepted') await message.discard().catch(() => {});
    if (result.outcome === 'refused') return result.refusal;
    const isRewritten = Object.keys(admission.were).length > 0;
    if (isRewritten && result.outcome === 'accepted') rewritten?.();
    log.info(
      {
        event: result.outcome === 'accepted' ? 'queued' : 'queued-before',
        queueId: result.queueId,
        emailId: admission.email?.id,
        traceId: result.traceId,
        credential,
        sender: show(admission.mailFrom),
        ...(isRewritten && { rewrittenFrom: show(admission.were.fromWas ?? sender) }),
        recipients: recipients.length,
        size: message.size,
      },
      result.outcome === 'accepted' ? 'Mail queued' : 'The same mail was queued before',
    );
    return result.queueId;
  }

  function explain(error: unknown, queueId: string): Refusal {
    if (isGone(error)) {
      log.debug({ event: 'vanished', queueId }, 'Client disconnected in the middle of a message');
      return ourMistake;
    }
    const isFull = (error as { code?: unknown }).code === '53100';
    log.error(
      { event: 'failed', queueId, err: error },
      'Message could not be accepted; the client has to send it again',
    );
    if (isFull) return diskFull;
    return isUnavailable(error) ? databaseAway : ourMistake;
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
    async [Symbol.asyncDispose]() {
      watch?.[Symbol.dispose]();
      await Promise.all(servers.map((server) => server.stop()));
      await refusals[Symbol.asyncDispose]();
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

// AUTH= belongs to AUTH (RFC 4954 section 5); what it says is for servers that trust one another, and changes nothing.
const mailParameters = ['SIZE', 'BODY', 'SMTPUTF8', 'AUTH'];
const recipientParameters: readonly string[] = [];

/** RFC 5321 section 4.1.1.11: to accept what no EHLO of ours has offered would promise it. */
function unknownParameter(args: SMTPServerAddress['args'], known: readonly string[]): Refusal | undefined {
  const unknown = Object.keys(args || {}).find((name) => !known.includes(name.toUpperCase()));
  return unknown === undefined
    ? undefined
    : refuse(555, '5.5.4', `The parameter ${unknown.slice(0, 40)} is not known here`);
}

/** For whoever looks at the conversation, and for the log. */
const clearAuthHint = (client: string) =>
  `AUTH without TLS is not offered to ${client}, the gateway that stands for others: RELAY_CLEAR_AUTH_FROM allows it`;

const isAscii = (text: string) => /^[\x20-\x7e]*$/.test(text);

const errorFor = (refusal: Refusal | undefined) => (refusal ? asReplyError(refusal) : undefined);

function protocolOf({ openingCommand, secure, user }: SMTPServerSession, smtputf8: boolean): string {
  const base = smtputf8 ? 'UTF8SMTP' : openingCommand === 'EHLO' ? 'ESMTP' : 'SMTP';
  return base + (secure ? 'S' : '') + (user ? 'A' : '');
}

const isGone = (error: unknown) => {
  const { code } = error as { code?: unknown };
  return code === 'ECONNECTION' || code === 'ERR_STREAM_PREMATURE_CLOSE';
};
