// Handing a message to the relay over SMTP, on sessions that stay open. The relay accepts each email once: whoever
// lost its answer may simply hand over again.
import { Readable } from 'node:stream';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { Log } from '../../../deploy/log.ts';
import { takeTurn } from '../../../deploy/turn.ts';
import type { Message } from '../compose/compose.ts';

/** One email as the relay takes it: bytes, envelope, and the token that proves that the email is ours to hand over. */
export type Parcel = {
  readonly id: string;
  readonly token: Buffer;
  /** As a whole, or in pieces, which are asked for again when a session was lost. */
  readonly bytes: Buffer | Message;
  readonly envelope: { readonly from: string; readonly to: readonly string[] };
};

export type HandOverResult =
  /** The relay has committed it and taken responsibility. */
  | { readonly outcome: 'accepted'; readonly queueId: string }
  /** The relay will never take this email as it is (5xx). */
  | {
      readonly outcome: 'refused';
      readonly code: number;
      readonly enhanced: string | null;
      readonly reply: string;
    }
  /** Nothing was said against this email: the relay is away, busy, or does not know us. Try again later. */
  | { readonly outcome: 'away'; readonly why: string };

export type HandOver = AsyncDisposable & {
  /**
   * Hands over one email. Never rejects. `timeoutMs` is how long the caller waits, beside the time that its octets
   * take; a message that is on its way by then still arrives, and the next hand-over of the same email learns of it.
   */
  handOver(parcel: Parcel, options?: { timeoutMs?: number | undefined }): Promise<HandOverResult>;
};

type Session = {
  readonly connection: SMTPConnection;
  /**
   * The work, or the news that the session was lost or given up: the client library forgets what was in flight. Not
   * a race with one promise for the whole session, which would remember every mail it ever carried.
   */
  readonly orLost: <T>(work: Promise<T>) => Promise<T>;
  readonly drop: (cause?: Error) => void;
  used: boolean;
  gone: boolean;
};
type Turn = { begun: boolean; session?: Session; readonly go: () => void; readonly leave: () => void };
type SmtpError = Error & { code?: string; response?: string; responseCode?: number; command?: string };

const connectTimeoutMs = 5_000;
// How long one message may take beside its octets, the commit included, when the caller does not say.
const defaultTimeoutMs = 10_000;
// The slowest way to the relay that still counts as one.
const slowestBytesPerMs = 1_000;

/** How long so many octets may take. */
export const msToCarry = (bytes: number): number => Math.round(bytes / slowestBytesPerMs);

// Nobody waits any more, but the reply of a busy relay may still come.
const graceMs = 5_000;
// After a failure one email at a time finds out whether the relay is back; the others are told at once.
const restMs = 500;

/** @param sessions how many connections to the relay may be open at once */
export function openHandOver({
  host,
  port,
  user,
  password,
  sessions: limit,
  log,
}: {
  host: string;
  port: number;
  user: string;
  password: string;
  sessions: number;
  log: Log;
}): HandOver {
  const idle: Session[] = [];
  const open = new Set<Session>();
  const waiting: Turn[] = [];
  let busy = 0;
  let closing = false;
  let trouble: { why: string; until: number } | undefined;

  function handOver(
    parcel: Parcel,
    { timeoutMs: answerMs = defaultTimeoutMs }: { timeoutMs?: number | undefined } = {},
  ): Promise<HandOverResult> {
    const timeoutMs = answerMs + msToCarry(sizeOf(parcel.bytes));
    if (closing) return Promise.resolve({ outcome: 'away', why: stopping });
    if (trouble) {
      if (performance.now() < trouble.until) return Promise.resolve({ outcome: 'away', why: trouble.why });
      trouble.until = performance.now() + restMs;
    }

    return new Promise((resolve) => {
      const answer = (result: HandOverResult) => {
        clearTimeout(timer);
        resolve(result);
      };
      const turn: Turn = {
        begun: false,
        go: () => {
          turn.begun = true;
          void carry(parcel, turn).then(answer);
        },
        leave: () => answer({ outcome: 'away', why: trouble?.why ?? stopping }),
      };
      const timer = setTimeout(() => {
        const why = `the relay at ${host}:${port} gave no answer within ${timeoutMs} ms`;
        if (turn.begun) {
          rest(why);
          setTimeout(() => turn.session?.drop(new Error(why)), graceMs).unref();
        } else {
          waiting.splice(waiting.indexOf(turn), 1);
        }
        resolve({ outcome: 'away', why });
      }, timeoutMs);

      if (busy < limit) {
        busy++;
        turn.go();
      } else {
        waiting.push(turn);
      }
    });
  }

  async function carry(parcel: Parcel, turn: Turn): Promise<HandOverResult> {
    const result = await attempt(parcel, turn).catch((error: SmtpError): HandOverResult => {
      const why = `no hand-over to the relay at ${host}:${port}: ${error.message}`;
      // What the message is read from has failed: that says nothing about the relay.
      if (error.code !== 'ESTREAM') rest(why);
      return { outcome: 'away', why };
    });
    delete turn.session;
    if (result.outcome !== 'away') trouble = undefined;
    if (trouble) for (const other of waiting.splice(0)) other.leave();

    const next = waiting.shift();
    if (next) next.go();
    else busy--;
    return result;
  }

  function rest(why: string): void {
    if (!trouble) log.warn({ event: 'hand-over-failed', host, port, why }, 'The relay does not take mail');
    trouble = { why, until: performance.now() + restMs };
  }

  async function attempt(parcel: Parcel, turn: Turn): Promise<HandOverResult> {
    const session = idle.pop() ?? (await connect());
    const wasUsed = session.used;
    try {
      return await converse(session, parcel, turn);
    } catch (error) {
      // The relay closes sessions that were idle for long. That says nothing about the relay as it is now.
      if (!wasUsed || closing || !isHangUp(error as SmtpError)) throw error;
      return converse(await connect(), parcel, turn);
    }
  }

  async function converse(session: Session, parcel: Parcel, turn: Turn): Promise<HandOverResult> {
    turn.session = session;
    const field = `X-Postern-Email: ${parcel.id} ${parcel.token.toString('hex')}\r\n`;
    // Of a message in pieces perhaps a little less than it is, which is allowed (RFC 1870 section 6.1).
    const size = field.length + sizeOf(parcel.bytes);
    const message = messageOf(Buffer.from(field, 'latin1'), parcel.bytes);
    try {
      const reply = await session.orLost(send(session.connection, { ...parcel.envelope, size }, message));
      keep(session);
      const queueId = /\bqueued as (\S+)/.exec(reply)?.[1];
      if (!queueId)
        return { outcome: 'away', why: `this is not our relay: it answered ${JSON.stringify(reply)}` };
      return { outcome: 'accepted', queueId };
    } catch (error) {
      const answer = answerTo(error as SmtpError, size);
      if (!answer) {
        session.drop();
        throw error;
      }
      // A refused envelope leaves its transaction open on the server.
      await session.orLost(reset(session.connection)).then(
        () => keep(session),
        () => session.drop(),
      );
      return answer;
    } finally {
      // Whatever it reads from is left alone from now on.
      if (!Buffer.isBuffer(message)) message.destroy();
    }
  }

  async function connect(): Promise<Session> {
    const connection = new SMTPConnection({
      host,
      port,
      secure: false,
      // Where the relay has a certificate it offers STARTTLS, and the client takes it: nobody on the way can listen. The
      // certificate is for other applications and need not carry the name we know the relay by, so it proves nothing
      // about who answers. Whoever could answer in the relay's place could do so without a certificate, too.
      tls: { rejectUnauthorized: false, minVersion: 'TLSv1.2' },
      connectionTimeout: connectTimeoutMs,
      greetingTimeout: connectTimeoutMs,
      socketCloseTimeout: 1_000,
    });
    let lose: ((cause: Error) => void) | undefined;
    const session: Session = {
      connection,
      used: false,
      gone: false,
      orLost: (work) =>
        new Promise((resolve, reject) => {
          if (session.gone) reject(hangUp());
          // Behind the answer, where one came with the loss: a relay says 421 and hangs up.
          lose = (cause) => queueMicrotask(() => reject(cause));
          work.then(resolve, reject);
        }),
      drop(cause = new Error('the session is over')) {
        if (session.gone) return;
        session.gone = true;
        open.delete(session);
        const index = idle.indexOf(session);
        if (index >= 0) idle.splice(index, 1);
        lose?.(cause);
        connection.close();
      },
    };
    open.add(session);
    connection.on('error', session.drop);
    connection.on('end', () => session.drop(hangUp()));
    try {
      await session.orLost(greet(connection));
      await session.orLost(logIn(connection, user, password));
    } catch (error) {
      session.drop();
      throw error;
    }
    return session;
  }

  function keep(session: Session): void {
    session.used = true;
    if (closing) session.drop();
    else if (!session.gone) idle.push(session);
  }

  return {
    handOver,
    async [Symbol.asyncDispose]() {
      closing = true;
      for (const turn of waiting.splice(0)) turn.leave();
      await Promise.all(idle.splice(0).map(quit));
      for (const session of [...open]) session.drop(new Error(stopping));
    },
  };
}

const stopping = 'this process is stopping';

const greet = (connection: SMTPConnection) =>
  new Promise<void>((resolve, reject) => {
    connection.connect((error) => (error ? reject(error) : resolve()));
  });

const logIn = (connection: SMTPConnection, user: string, pass: string) =>
  new Promise<void>((resolve, reject) => {
    connection.login({ user, pass }, (error) => (error ? reject(error) : resolve()));
  });

const sizeOf = (bytes: Parcel['bytes']) => (Buffer.isBuffer(bytes) ? bytes.length : bytes.leastBytes);

/** The client looks at every octet: what is longer must not be looked at all at once, least of all in all sessions. */
const stepBytes = 16_384;

function messageOf(field: Buffer, bytes: Parcel['bytes']): Buffer | Readable {
  if (Buffer.isBuffer(bytes) && bytes.length <= stepBytes) return Buffer.concat([field, bytes]);
  return Readable.from(
    (async function* () {
      yield field;
      if (!Buffer.isBuffer(bytes)) return yield* bytes.pieces();
      for (let at = 0; at < bytes.length; at += stepBytes) {
        await takeTurn();
        yield bytes.subarray(at, at + stepBytes);
      }
    })(),
  );
}

const send = (
  connection: SMTPConnection,
  { from, to, size }: Parcel['envelope'] & { size: number },
  message: Buffer | Readable,
) =>
  new Promise<string>((resolve, reject) => {
    connection.send({ from, to: [...to], size }, message, (error, sent) =>
      sent ? resolve(sent.response) : reject(error),
    );
  });

const reset = (connection: SMTPConnection) =>
  new Promise<void>((resolve, reject) => {
    connection.reset((error) => (error ? reject(error) : resolve()));
  });

/** A polite end; settles when the relay has answered or is gone. */
async function quit({ connection, orLost }: Session): Promise<void> {
  connection.quit();
  const patience = new Promise<void>((resolve) => setTimeout(resolve, 1_000).unref());
  await orLost(patience).catch(() => {});
}

const hangUp = () => Object.assign(new Error('the relay closed the session'), { code: 'ECONNECTION' });

const isHangUp = ({ code, responseCode }: SmtpError) =>
  responseCode === 421 || (!responseCode && (code === 'ECONNECTION' || code === 'ESOCKET'));

/**
 * What the relay said about this very message. Undefined when it said nothing about it: the connection broke, the
 * relay is going down, or it does not take mail from us at all.
 */
function answerTo(error: SmtpError, size: number): HandOverResult | undefined {
  // The client itself compares with the SIZE that the relay announced (RFC 1870).
  if (error.code === 'EMESSAGE' && error.command === 'MAIL FROM' && !error.responseCode) {
    return {
      outcome: 'refused',
      code: 552,
      enhanced: '5.3.4',
      reply: `${error.message} bytes; this has ${size}`,
    };
  }
  // What the client found wrong with an address before it said a word.
  if (error.code === 'EENVELOPE' && error.command === 'API') {
    return { outcome: 'refused', code: 553, enhanced: '5.1.3', reply: error.message };
  }
  const { responseCode: code, response: reply = '', command = '' } = error;
  if (!code || code === 421 || code === 530 || !messageCommands.has(command)) return undefined;
  if (code < 500) return { outcome: 'away', why: `the relay answered: ${reply}` };
  const enhanced = /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\b/.exec(reply)?.[1] ?? null;
  return { outcome: 'refused', code, enhanced, reply };
}

const messageCommands = new Set(['MAIL FROM', 'RCPT TO', 'DATA']);
