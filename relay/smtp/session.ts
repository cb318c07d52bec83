// One SMTP session with a provider, on nodemailer's connection: opened, signed in, used for many mails, closed.
// What nodemailer does not promise is decided here: which stage something happened at, how long to wait for what,
// whether a reply arrived as a whole, and that the final dot leaves only through the fence.

import type { Socket } from 'node:net';
import { hostname } from 'node:os';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { Stage } from '../client/vocabulary.ts';
import type { Route, Tempo } from '../delivery/settings.ts';
import type { Symptom } from '../verdict/failure.ts';
import { connect, tlsOptions } from './connect.ts';
import { completeCommands, type DsnRequest } from './envelope-commands.ts';
import { type Body, fencedBody } from './fenced-body.ts';
import { type Reply, readReply } from './reply.ts';
import { type StageTracker, type Timings, trackStages } from './stages.ts';
import { symptomOf } from './symptom.ts';

/** Something that went wrong, where, and how the time was spent until then. */
export type Trouble = { readonly stage: Stage; readonly symptom: Symptom; readonly timings: Timings };

export type Opened = { readonly session: Session } | { readonly trouble: Trouble };

export type Letter = {
  readonly sender: string;
  /** Each address once. */
  readonly recipients: readonly string[];
  readonly size: number;
  readonly eightBit: boolean;
  readonly utf8Header: boolean;
  /** Passed on where the provider offers DSN. */
  readonly dsn?: DsnRequest | undefined;
  readonly body: Body;
};

/** What became of one MAIL … dot. */
export type Transaction = {
  readonly timings: Timings;
  /** Recipients the provider refused, with its words. */
  readonly refused: ReadonlyMap<string, Trouble>;
  /** Recipients it accepted; what they become depends on the end. */
  readonly accepted: readonly string[];
  readonly end: /** The final reply came, whole: 2xx takes responsibility for everybody accepted. */
    | { readonly kind: 'answered'; readonly reply: Reply }
    /** The final dot is out and no whole reply came: SMTP cannot tell (RFC 1047). */
    | { readonly kind: 'silent'; readonly trouble: Trouble }
    /** It ended before the dot: refused, broken, or timed out. Nobody got anything. */
    | { readonly kind: 'failed'; readonly trouble: Trouble }
    /** We did not let the dot out. */
    | { readonly kind: 'fenced'; readonly why: string };
};

/** Asked in front of the dot; says no by giving the reason. */
export type Fence = (
  accepted: readonly string[],
) => Promise<{ readonly pass: true } | { readonly pass: false; readonly why: string }>;

export type Session = {
  readonly route: Route;
  readonly openedIn: Timings;
  /** How many mails it has carried. */
  readonly carried: number;
  readonly isOpen: boolean;
  /** It takes over what the submitter wants to hear (RFC 3461). */
  readonly offersDsn: boolean;
  /** Signs in. One call is one AUTH command. */
  signIn(user: string, password: string): Promise<Trouble | undefined>;
  send(letter: Letter, fence: Fence): Promise<Transaction>;
  /** Ends the session politely, without waiting for the answer. */
  close(): void;
  /** Cuts it off, whatever it is doing. */
  destroy(): void;
};

type Opening = {
  readonly route: Route;
  readonly authorities: readonly string[];
  readonly timeoutMs: number;
  readonly tempo: Tempo;
  readonly signal: AbortSignal;
};

/** Opens a session up to the point where AUTH would come. Nothing of ours is revealed on the way. */
export async function openSession({
  route,
  authorities,
  timeoutMs,
  tempo,
  signal,
}: Opening): Promise<Opened> {
  const limits: Record<Stage, number> = {
    config: timeoutMs,
    dns: timeoutMs,
    tcp: timeoutMs,
    tls: timeoutMs,
    greeting: timeoutMs,
    ehlo: timeoutMs,
    starttls: timeoutMs,
    // A directory behind AUTH may be slow, and a second try would cost one of few.
    auth: 2 * timeoutMs,
    mail: tempo.commandMs,
    rcpt: tempo.commandMs,
    data: tempo.dataMs,
    dot: tempo.finalMs,
    accepted: tempo.commandMs,
  };
  const giveUp = new AbortController();
  const opening = AbortSignal.any([signal, giveUp.signal]);
  let timer: NodeJS.Timeout | undefined;
  let expired: (error: Error) => void = (error) => giveUp.abort(error);
  const wait = (milliseconds: number) => {
    clearTimeout(timer);
    timer = setTimeout(() => expired(silence(tracker.stage)), milliseconds);
  };
  const tracker = trackStages('dns', (stage) => {
    // Connecting and greeting share one allowance: every stage beginning anew would triple SMTP_TIMEOUT.
    if (stage !== 'dns' && stage !== 'tcp' && stage !== 'tls' && stage !== 'greeting') wait(limits[stage]);
  });
  wait(timeoutMs);

  let socket: Socket;
  try {
    socket = await connect(route, authorities, tracker, opening);
  } catch (error) {
    clearTimeout(timer);
    return { trouble: troubleAt(tracker, error) };
  }

  tracker.enter('greeting');
  const connection = new SMTPConnection({
    host: route.host,
    port: route.port,
    name: ehloName(socket),
    connection: socket,
    secure: route.tlsMode === 'implicit',
    secured: route.tlsMode === 'implicit',
    requireTLS: route.tlsMode === 'starttls',
    ignoreTLS: route.tlsMode === 'none',
    tls: tlsOptions(route, authorities),
    // Our own clock runs out first at every stage; these only must not be shorter.
    greetingTimeout: 2 * timeoutMs,
    connectionTimeout: 3 * timeoutMs,
    socketTimeout: 86_400_000,
    socketCloseTimeout: 1_000,
    transactionLog: true,
    logger: tracker.logger as never,
  });

  const conversation = converse(connection, tracker, (handler) => {
    expired = handler;
  });
  const abort = () => conversation.cut(signal.reason as Error);
  signal.addEventListener('abort', abort);
  if (signal.aborted) abort();
  const trouble = await conversation.ask((done) => connection.connect(done));
  signal.removeEventListener('abort', abort);
  clearTimeout(timer);
  if (trouble) return { trouble };
  return {
    session: sessionOn({
      route,
      connection,
      conversation,
      tracker,
      tempo,
      wait,
      hush: () => clearTimeout(timer),
    }),
  };
}

type Conversation = {
  /** Runs one request; resolves with the trouble it ended in, if any. Losing the connection answers it, too. */
  ask(request: (done: (error?: Error | null) => void) => void): Promise<Trouble | undefined>;
  /** Destroys the socket at once; whoever asks is told `reason`. */
  cut(reason: Error): void;
  readonly lost: boolean;
};

function converse(
  connection: SMTPConnection,
  tracker: StageTracker,
  onExpiry: (handler: (error: Error) => void) => void,
): Conversation {
  let lost = false;
  let asking: ((error: Error) => void) | undefined;
  const lose = (error: Error) => {
    lost = true;
    asking?.(error);
  };
  connection.on('error', lose);
  // Some ways of ending have no error, such as 421 between two mails; those that have one tell it after 'end'.
  connection.on('end', () => {
    lost = true;
    const whoever = asking;
    setImmediate(() => {
      if (asking === whoever) whoever?.(new Error('Connection closed unexpectedly'));
    });
  });
  const cut = (reason: Error) => {
    lose(reason);
    if (connection._socket) connection._socket.destroy();
    connection.close();
  };
  onExpiry(cut);

  return {
    get lost() {
      return lost;
    },
    cut,
    ask: (request) =>
      new Promise((resolve) => {
        const settle = (error?: Error | null) => {
          asking = undefined;
          resolve(error ? troubleAt(tracker, error) : undefined);
        };
        asking = settle;
        if (lost) return settle(new Error('Connection closed unexpectedly'));
        request(settle);
      }),
  };
}

function sessionOn({
  route,
  connection,
  conversation,
  tracker,
  tempo,
  wait,
  hush,
}: {
  route: Route;
  connection: SMTPConnection;
  conversation: Conversation;
  tracker: StageTracker;
  tempo: Tempo;
  wait: (milliseconds: number) => void;
  hush: () => void;
}): Session {
  const openedIn = tracker.timings;
  let carried = 0;

  return {
    route,
    openedIn,
    get carried() {
      return carried;
    },
    get isOpen() {
      return !conversation.lost && !connection.destroyed;
    },
    get offersDsn() {
      return offers(connection, 'DSN');
    },

    async signIn(user, password) {
      tracker.restart();
      tracker.enter('auth');
      if (!connection.allowsAuth) {
        hush();
        return troubleAt(
          tracker,
          Object.assign(new Error(`${route.host}:${route.port} does not offer AUTH`), { code: 'ENOAUTH' }),
        );
      }
      const trouble = await conversation.ask((done) => connection.login({ user, pass: password }, done));
      hush();
      return trouble;
    },

    async send({ sender, recipients, size, eightBit, utf8Header, dsn, body }, fence) {
      tracker.restart();
      if (eightBit && !offers(connection, '8BITMIME')) {
        // RFC 6152 §3: it must not be sent. Converting it would break signatures and the promise of unchanged bytes.
        const symptom = {
          enhanced: '5.6.3',
          message: `${route.host} does not offer 8BITMIME (RFC 6152), which this mail needs`,
        };
        const trouble = { stage: 'data', symptom, timings: tracker.timings } as const;
        return {
          timings: tracker.timings,
          refused: new Map(),
          accepted: [],
          end: { kind: 'failed', trouble },
        };
      }
      // nodemailer would send the address as it is to a server that has not said what it makes of it.
      const unspeakable = offers(connection, 'SMTPUTF8')
        ? []
        : recipients.filter((address) => utf8Header || !isAscii(sender) || !isAscii(address));
      const speakable = recipients.filter((address) => !unspeakable.includes(address));
      const tooForeign: Trouble = {
        stage: 'rcpt',
        symptom: {
          enhanced: '5.6.7',
          message: `${route.host} does not offer SMTPUTF8 (RFC 6531), which ${utf8Header ? 'its header' : isAscii(sender) ? 'this address' : sender} needs`,
        },
        timings: tracker.timings,
      };
      const unsent = unspeakable.map((address) => [address, tooForeign] as const);
      if (speakable.length === 0) {
        return {
          timings: tracker.timings,
          refused: new Map(unsent),
          accepted: [],
          end: { kind: 'failed', trouble: tooForeign },
        };
      }
      carried++;
      // nodemailer keeps the account of the recipients on the very object it is given.
      const envelope = {
        from: sender,
        to: speakable,
        size,
        use8BitMime: eightBit,
      } as SMTPConnection.Envelope & {
        accepted?: string[];
        rejectedErrors?: (Error & { recipient?: string })[];
      };
      let fenced: string | undefined;
      let dotIsOut = false;
      let final: Reply | undefined;
      let garbage: string | undefined;
      let bodyHasBegun = false;
      const onBlock = () => {
        bodyHasBegun = true;
        wait(tempo.blockMs);
      };

      const passFence = async () => {
        hush();
        const answer = await fence(envelope.accepted ?? []);
        if (!answer.pass) {
          fenced = answer.why;
          conversation.cut(new Error(answer.why));
          throw new Error(answer.why);
        }
        if (conversation.lost) throw new Error('Connection closed unexpectedly');
        dotIsOut = true;
        tracker.enter('dot');
      };

      const usualCommands = completeCommands(connection, {
        needsUtf8: utf8Header,
        dsn: offers(connection, 'DSN') ? dsn : undefined,
      });
      const trouble = await conversation.ask((done) => {
        const socket = connection._socket as Socket;
        const stream = fencedBody(body, socket, onBlock, passFence);
        connection.send(envelope, stream, (error, info) => {
          // Only a whole reply to the dot comes as EMESSAGE or as success; a torn one comes with the lost connection.
          const raw = error
            ? error.code === 'EMESSAGE' && dotIsOut
              ? error.response
              : undefined
            : info.response;
          if (raw !== undefined) {
            final = readReply(raw);
            if (final === undefined || Math.trunc(final.code / 100) === 3) garbage = raw;
          }
          done(error);
        });
      });
      usualCommands();
      hush();
      const timings = tracker.timings;
      // With PIPELINING a refused MAIL is followed by "503 no transaction" for everybody: that is not about them.
      const rejections = trouble?.stage === 'mail' ? [] : (envelope.rejectedErrors ?? []);
      const refused = new Map<string, Trouble>([
        ...unsent,
        ...rejections.map(
          (error) =>
            [
              error.recipient ?? '',
              { stage: 'rcpt', symptom: symptomOf(error), timings } satisfies Trouble,
            ] as const,
        ),
      ]);
      const accepted = envelope.accepted ?? [];
      const result = { timings, refused, accepted };

      if (fenced !== undefined) return { ...result, end: { kind: 'fenced', why: fenced } };
      if (final && garbage === undefined) {
        return { ...result, end: { kind: 'answered', reply: final } };
      }
      if (dotIsOut) {
        // Whatever follows on a connection that lost its way would be taken for the answer to the next mail.
        if (garbage !== undefined) conversation.cut(new Error('The final reply is not SMTP'));
        const symptom =
          garbage === undefined ? trouble?.symptom : { ...trouble?.symptom, reply: garbage.slice(0, 200) };
        return {
          ...result,
          end: { kind: 'silent', trouble: { stage: 'dot', symptom: symptom ?? {}, timings } },
        };
      }
      const failed = trouble ?? { stage: tracker.stage, symptom: { message: 'no reply' }, timings };
      // Inside a message RSET would be one more line of it: only closing ends it unsent.
      if (bodyHasBegun) conversation.cut(new Error('The message was given up'));
      else if (!conversation.lost) await forget();
      return { ...result, end: { kind: 'failed', trouble: failed } };
    },

    close() {
      if (!conversation.lost) connection.quit();
    },
    destroy() {
      conversation.cut(new Error('The session was ended by this relay'));
    },
  };

  /** Ends the transaction that a refusal left open, so that the next MAIL is not "nested". */
  async function forget(): Promise<void> {
    wait(tempo.commandMs);
    const trouble = await conversation.ask((done) => connection.reset(done));
    hush();
    if (trouble && !conversation.lost) conversation.cut(new Error('RSET was refused'));
  }
}

/** What the server said to EHLO, which nodemailer keeps to itself. */
function offers(connection: SMTPConnection, extension: '8BITMIME' | 'SMTPUTF8' | 'DSN'): boolean {
  const { _supportedExtensions: offered } = connection as SMTPConnection & { _supportedExtensions: string[] };
  return offered.includes(extension);
}

const isAscii = (text: string) => /^[\x20-\x7e]*$/.test(text);

function troubleAt(tracker: StageTracker, error: unknown): Trouble {
  const symptom = symptomOf(error);
  if (symptom.reply === undefined || tracker.stage === 'dot') {
    return { stage: tracker.stage, symptom, timings: tracker.timings };
  }
  // A pipelined refusal is reported after the last reply; its command tells which one refused.
  const stage = refusedAt[symptom.command ?? ''] ?? tracker.answered;
  return { stage, symptom, timings: tracker.timings };
}

const refusedAt: Readonly<Record<string, Stage>> = { 'MAIL FROM': 'mail', 'RCPT TO': 'rcpt', DATA: 'data' };

/** The words are nodemailer's, so that people and the verdict module meet one wording for one thing. */
function silence(stage: Stage): Error {
  const connecting = stage === 'dns' || stage === 'tcp';
  const message = connecting
    ? 'Connection timeout'
    : stage === 'greeting'
      ? 'Greeting never received'
      : 'Timeout';
  const error = Object.assign(new Error(message), { code: 'ETIMEDOUT' });
  return stage === 'tcp' ? Object.assign(error, { syscall: 'connect' }) : error;
}

/** RFC 5321 §4.1.3: a name that others can resolve, or else the address we speak from. */
export function ehloName(socket: Socket): string {
  const name = hostname();
  if (
    /^[a-z0-9-]+(\.[a-z0-9-]+)+$/i.test(name) &&
    !/^[\d.]+$/.test(name) &&
    !/\.(local|internal|lan)$/i.test(name)
  )
    return name;
  const address = socket.localAddress ?? '127.0.0.1';
  return address.includes(':') && !address.startsWith('::ffff:')
    ? `[IPv6:${address}]`
    : `[${address.replace('::ffff:', '')}]`;
}
