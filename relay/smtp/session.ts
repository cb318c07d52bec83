// One SMTP session with a provider, on nodemailer's connection: opened, signed in, used for many mails, closed.
// What nodemailer does not promise is decided here: which stage something happened at, how long to wait for what,
// whether a reply arrived as a whole, and that the final dot leaves only through the fence.
import type { Socket } from 'node:net';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { RouteSetting } from '../../deploy/environment.ts';
import {
  afterReason,
  type BearerMechanism,
  bearerCommand,
  bearerMechanismOf,
  noBearerMechanism,
  reasonIn,
} from './bearer.ts';
import { connect, tlsOptions } from './connect.ts';
import { failureAt, startConversation } from './conversation.ts';
import { ehloName } from './ehlo-name.ts';
import type { SmtpFailure } from './failure.ts';
import { mechanismsOf, offers } from './nodemailer.ts';
import { openStageTimer, stageLimits } from './stage-timer.ts';
import { type StageTracker, type Timings, trackStages } from './stages.ts';
import type { SmtpTimeouts } from './timeouts.ts';
import {
  type Fence,
  missingExtensions,
  type OpenConnection,
  type OutgoingMessage,
  runTransaction,
  type Transaction,
} from './transaction.ts';

export type Opened = { readonly session: Session } | { readonly failure: SmtpFailure };

/** A password, or an access token with the moment (of performance.now()) at which it ends. */
export type Credential =
  | { readonly user: string; readonly password: string }
  | { readonly user: string; readonly token: string; readonly endsAt: number };

export type Session = {
  readonly route: RouteSetting;
  readonly openedIn: Timings;
  /** How many transactions were begun on it. */
  readonly transactions: number;
  readonly isOpen: boolean;
  /** The access token it was signed in with has ended: the next mail needs a session that is signed in anew. */
  readonly isExpired: boolean;
  /** It takes over what the submitter wants to hear (RFC 3461). */
  readonly offersDsn: boolean;
  /** Signs in. One call is one AUTH command. */
  signIn(credential: Credential): Promise<SmtpFailure | undefined>;
  send(message: OutgoingMessage, fence: Fence): Promise<Transaction>;
  /** Ends the session politely, without waiting for the answer. */
  close(): void;
  /** Cuts it off, whatever it is doing. */
  destroy(): void;
};

type Opening = {
  readonly route: RouteSetting;
  readonly authorities: readonly string[];
  readonly timeoutMs: number;
  readonly timeouts: SmtpTimeouts;
  readonly signal: AbortSignal;
};

/** Opens a session up to the point where AUTH would come. Nothing of ours is revealed on the way. */
export async function openSession({
  route,
  authorities,
  timeoutMs,
  timeouts,
  signal,
}: Opening): Promise<Opened> {
  const limits = stageLimits(timeoutMs, timeouts);
  const giveUp = new AbortController();
  const timer = openStageTimer(
    () => tracker.stage,
    (error) => giveUp.abort(error),
  );
  const tracker = trackStages('dns', (stage) => {
    // Connecting and greeting share one allowance: every stage beginning anew would triple SMTP_TIMEOUT.
    if (stage !== 'dns' && stage !== 'tcp' && stage !== 'tls' && stage !== 'greeting')
      timer.start(limits[stage]);
  });
  timer.start(timeoutMs);

  let socket: Socket;
  try {
    socket = await connect(route, authorities, tracker, AbortSignal.any([signal, giveUp.signal]));
  } catch (error) {
    timer.stop();
    return { failure: failureAt(tracker, error) };
  }

  tracker.enter('greeting');
  const connection = connectionOn(socket, { route, authorities, timeoutMs, tracker });
  const conversation = startConversation(connection, tracker);
  timer.onExpiry(conversation.cut);
  const abort = () => conversation.cut(signal.reason as Error);
  signal.addEventListener('abort', abort);
  if (signal.aborted) abort();
  const failure = await conversation.ask((done) => connection.connect(done));
  signal.removeEventListener('abort', abort);
  timer.stop();
  if (failure) return { failure };
  return { session: sessionOn({ route, connection, conversation, tracker, timeouts, timer }) };
}

function connectionOn(
  socket: Socket,
  {
    route,
    authorities,
    timeoutMs,
    tracker,
  }: Pick<Opening, 'route' | 'authorities' | 'timeoutMs'> & { tracker: StageTracker },
): SMTPConnection {
  return new SMTPConnection({
    host: route.host,
    port: route.port,
    name: ehloName(socket),
    connection: socket,
    secure: route.tlsMode === 'implicit',
    secured: route.tlsMode === 'implicit',
    requireTLS: route.tlsMode === 'starttls',
    ignoreTLS: route.tlsMode === 'none',
    tls: tlsOptions(route, authorities),
    customAuth: { XOAUTH2: bearerOn(route, 'XOAUTH2'), OAUTHBEARER: bearerOn(route, 'OAUTHBEARER') },
    // Our own clock runs out first at every stage; these only must not be shorter.
    greetingTimeout: 2 * timeoutMs,
    connectionTimeout: 3 * timeoutMs,
    socketTimeout: 86_400_000,
    socketCloseTimeout: 1_000,
    transactionLog: true,
    logger: tracker.logger as never,
  });
}

/** nodemailer's own XOAUTH2 would fetch a new token after a 334 by itself, which is not its business. */
function bearerOn({ host, port }: RouteSetting, mechanism: BearerMechanism) {
  return async ({ auth, sendCommand }: SMTPConnection.CustomAuthenticationContext): Promise<void> => {
    const { user = '', pass: token = '' } = auth.credentials;
    const answer = await sendCommand(bearerCommand(mechanism, { user, token, host, port }));
    // nodemailer finds no status in a 334 without a word behind it.
    const code = answer.response.slice(0, 3);
    if (code === '235') return;
    if (code !== '334') throw new Error('The token was refused');
    await sendCommand(afterReason[mechanism]);
    throw new Error(`The token was refused, ${reasonIn(answer.response.slice(4))}`);
  };
}

function sessionOn(opened: OpenConnection): Session {
  const { route, connection, conversation, tracker, timer } = opened;
  const openedIn = tracker.timings;
  let transactions = 0;
  let endsAt = Number.POSITIVE_INFINITY;
  return {
    route,
    openedIn,
    get transactions() {
      return transactions;
    },
    get isOpen() {
      return !conversation.lost && !connection.destroyed;
    },
    get isExpired() {
      return performance.now() >= endsAt;
    },
    get offersDsn() {
      return offers(connection, 'DSN');
    },

    async signIn(credential) {
      tracker.restart();
      tracker.enter('auth');
      const offered = mechanismsOf(connection);
      const refuse = (error: Error) => {
        timer.stop();
        return failureAt(tracker, error);
      };
      if (!connection.allowsAuth) {
        const message = `${route.host}:${route.port} does not offer AUTH`;
        return refuse(Object.assign(new Error(message), { code: 'ENOAUTH' }));
      }
      const method = 'token' in credential ? bearerMechanismOf(offered) : undefined;
      if ('token' in credential && !method) return refuse(noBearerMechanism(offered));
      const failure = await conversation.ask((done) => connection.login(loginOf(credential, method), done));
      timer.stop();
      if (!failure && 'token' in credential) endsAt = credential.endsAt;
      return failure;
    },

    async send(message, fence) {
      tracker.restart();
      const { failure, refused } = missingExtensions(opened, message);
      if (failure) {
        const { timings } = failure;
        return { timings, refused, accepted: [], end: { kind: 'failed', failure } };
      }
      transactions++;
      return runTransaction(opened, message, refused, fence);
    },

    close() {
      if (!conversation.lost) connection.quit();
    },
    destroy() {
      conversation.cut(new Error('The session was ended by this relay'));
    },
  };
}

function loginOf(
  credential: Credential,
  method: BearerMechanism | undefined,
): SMTPConnection.AuthenticationType {
  const { user } = credential;
  if (!('token' in credential)) return { user, pass: credential.password };
  // Without `oauth2` nodemailer would choose another mechanism than XOAUTH2, and send the token as a password.
  return { method, user, pass: credential.token, oauth2: {} } as never;
}
