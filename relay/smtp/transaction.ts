// One MAIL … dot on an open session, and how it ended.
import type SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { RouteSetting } from '../../deploy/environment.ts';
import type { Conversation } from './conversation.ts';
import { refusedBy, sendEnvelope, type Taken } from './envelope.ts';
import { type DsnRequest, isAscii } from './envelope-commands.ts';
import type { SmtpFailure } from './failure.ts';
import { type Body, sendBody } from './fenced-body.ts';
import { beginExchange, largestMessage, offers, socketOf } from './nodemailer.ts';
import { type Reply, readReply } from './reply.ts';
import type { StageTimer } from './stage-timer.ts';
import type { StageTracker, Timings } from './stages.ts';
import { symptomOf } from './symptom.ts';
import type { SmtpTimeouts } from './timeouts.ts';

export type OutgoingMessage = {
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
  readonly refused: ReadonlyMap<string, SmtpFailure>;
  /** Recipients it accepted; what they become depends on the end. */
  readonly accepted: readonly string[];
  readonly end: /** The final reply came, whole: 2xx takes responsibility for everybody accepted. */
    | { readonly kind: 'answered'; readonly reply: Reply }
    /** The final dot is out and no whole reply came: SMTP cannot tell (RFC 1047). */
    | { readonly kind: 'silent'; readonly failure: SmtpFailure }
    /** It ended before the dot: refused, broken, or timed out. Nobody got anything. */
    | { readonly kind: 'failed'; readonly failure: SmtpFailure }
    /** We did not let the dot out. */
    | { readonly kind: 'fenced'; readonly why: string };
};

export type Fence = {
  /** MAIL is leaving: what the fence needs for its answer may be fetched meanwhile. */
  approach(): void;
  /** Asked in front of the dot; says no by giving the reason. */
  pass(
    accepted: readonly string[],
  ): Promise<{ readonly pass: true } | { readonly pass: false; readonly why: string }>;
};

/** A connection after EHLO, with everything that belongs to it. */
export type OpenConnection = {
  readonly route: RouteSetting;
  readonly connection: SMTPConnection;
  readonly conversation: Conversation;
  readonly tracker: StageTracker;
  readonly timeouts: SmtpTimeouts;
  readonly timer: StageTimer;
};

/**
 * Whom this provider cannot be sent this message for, because it lacks an extension: nobody (`failure`), or single
 * recipients. nodemailer would send the address as it is to a server that has not said what it makes of it.
 */
export function missingExtensions(
  { route, connection, tracker }: OpenConnection,
  { sender, recipients, eightBit, utf8Header }: OutgoingMessage,
): { readonly failure?: SmtpFailure; readonly refused: ReadonlyMap<string, SmtpFailure> } {
  const { timings } = tracker;
  if (eightBit && !offers(connection, '8BITMIME')) {
    // RFC 6152 §3: it must not be sent. Converting it would break signatures and the promise of unchanged bytes.
    const message = `${route.host} does not offer 8BITMIME (RFC 6152), which this mail needs`;
    return {
      failure: { stage: 'data', symptom: { enhanced: '5.6.3', message }, timings },
      refused: new Map(),
    };
  }
  if (offers(connection, 'SMTPUTF8')) return { refused: new Map() };
  const needsUtf8 = recipients.filter((address) => utf8Header || !isAscii(sender) || !isAscii(address));
  const what = utf8Header ? 'its header' : isAscii(sender) ? 'this address' : sender;
  const message = `${route.host} does not offer SMTPUTF8 (RFC 6531), which ${what} needs`;
  const failure: SmtpFailure = { stage: 'rcpt', symptom: { enhanced: '5.6.7', message }, timings };
  const refused = new Map(needsUtf8.map((address) => [address, failure] as const));
  return refused.size === new Set(recipients).size ? { failure, refused } : { refused };
}

/**
 * Sends a message to those recipients that are not in `unsent`. Resolves when it is known how it ended, or that SMTP
 * cannot tell; the session is then ready for the next message, or lost.
 *
 * @param fence asked when nothing but the final dot is left to write
 */
export async function runTransaction(
  opened: OpenConnection,
  message: OutgoingMessage,
  unsent: ReadonlyMap<string, SmtpFailure>,
  fence: Fence,
): Promise<Transaction> {
  const { connection, conversation, tracker, timeouts, timer } = opened;
  const recipients = message.recipients.filter((address) => !unsent.has(address));
  const taken: Taken = { accepted: [], refused: new Map() };
  const course = { fenced: undefined as string | undefined, dotIsOut: false, bodyHasBegun: false };
  let answer: FinalAnswer | undefined;

  const passFence = async () => {
    timer.stop();
    const leave = await fence.pass(taken.accepted);
    if (!leave.pass) {
      course.fenced = leave.why;
      conversation.cut(new Error(leave.why));
      throw new Error(leave.why);
    }
    if (conversation.lost) throw connectionClosed();
    course.dotIsOut = true;
    tracker.enter('dot');
  };

  const failure = await conversation.ask((done) => {
    const socket = socketOf(connection);
    if (!socket) return done(connectionClosed());
    const exchange = beginExchange(connection, (error) => finish(taken.mailRefused ?? error));
    let isOver = false;
    const finish = (error?: Error) => {
      if (isOver) return;
      isOver = true;
      exchange.end();
      done(error);
    };
    const speak = async () => {
      refuseTooLarge(connection, tracker, message.size);
      fence.approach();
      await sendEnvelope(exchange, { ...message, recipients }, (each) => offers(connection, each), taken);
      course.bodyHasBegun = true;
      let early: Error | undefined;
      exchange.expect((reply) => {
        if (course.dotIsOut) answer = readAnswer(reply);
        else early = refusedBy(reply, 'Message failed', 'DATA', 'EMESSAGE');
        finish(early);
      });
      await sendBody(message.body, socket, {
        onBlock: () => timer.start(timeouts.blockMs),
        mayGoOn() {
          if (isOver) throw early ?? connectionClosed();
        },
        fence: passFence,
      });
    };
    speak().catch(finish);
  });
  timer.stop();

  const { timings } = tracker;
  const result = {
    timings,
    refused: new Map([...unsent, ...refusals(taken, timings)]),
    accepted: taken.accepted,
  };
  const { fenced, dotIsOut, bodyHasBegun } = course;
  if (fenced !== undefined) return { ...result, end: { kind: 'fenced', why: fenced } };
  if (answer && 'reply' in answer) return { ...result, end: { kind: 'answered', reply: answer.reply } };
  if (dotIsOut) {
    // Whatever follows on a connection that lost its way would be taken for the answer to the next mail.
    conversation.cut(new Error('The final reply is not SMTP'));
    const symptom = { ...failure?.symptom, ...(answer && { reply: answer.garbage.slice(0, 200) }) };
    return { ...result, end: { kind: 'silent', failure: { stage: 'dot', symptom, timings } } };
  }
  const end = failure ?? { stage: tracker.stage, symptom: { message: 'no reply' }, timings };
  await endUnsent(opened, bodyHasBegun || taken.isOutOfStep === true);
  return { ...result, end: { kind: 'failed', failure: end } };
}

/** RFC 1870 section 6.1: what the server has said it will not take is not sent to it. */
function refuseTooLarge(connection: SMTPConnection, tracker: StageTracker, size: number): void {
  const largest = largestMessage(connection);
  if (largest === 0 || size <= largest) return;
  tracker.enter('mail');
  const error = new Error(`Message size larger than allowed ${largest}`);
  throw Object.assign(error, { code: 'EMESSAGE', command: 'MAIL FROM' });
}

/** @param isInside the server waits for the rest of a message */
async function endUnsent(opened: OpenConnection, isInside: boolean): Promise<void> {
  const { conversation } = opened;
  // Inside a message RSET would be one more line of it: only closing ends it unsent.
  if (isInside) conversation.cut(new Error('The message was given up'));
  else if (!conversation.lost) await reset(opened);
}

const connectionClosed = () =>
  Object.assign(new Error('Connection closed unexpectedly'), { code: 'ECONNECTION' });

type FinalAnswer = { readonly reply: Reply } | { readonly garbage: string };

function readAnswer(raw: string): FinalAnswer {
  const reply = readReply(raw);
  return reply === undefined || Math.trunc(reply.code / 100) === 3 ? { garbage: raw } : { reply };
}

function refusals(
  { refused, mailRefused }: Taken,
  timings: Timings,
): (readonly [address: string, SmtpFailure])[] {
  // With PIPELINING a refused MAIL is followed by "503 no transaction" for everybody: that is not about them.
  if (mailRefused) return [];
  return [...refused].map(([address, error]) => [
    address,
    { stage: 'rcpt', symptom: symptomOf(error), timings },
  ]);
}

/** Ends the transaction that a refusal left open, so that the next MAIL is not "nested". */
async function reset({ connection, conversation, timeouts, timer }: OpenConnection): Promise<void> {
  timer.start(timeouts.commandMs);
  const failure = await conversation.ask((done) => connection.reset(done));
  timer.stop();
  if (failure && !conversation.lost) conversation.cut(new Error('RSET was refused'));
}
