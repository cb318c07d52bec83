// One MAIL … dot on an open session, and how it ended.
import type SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { RouteSetting } from '../../deploy/environment.ts';
import type { Conversation } from './conversation.ts';
import { completeCommands, type DsnRequest } from './envelope-commands.ts';
import type { SmtpFailure } from './failure.ts';
import { type Body, fencedBody } from './fenced-body.ts';
import { type Envelope, offers, socketOf } from './nodemailer.ts';
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

/** Asked in front of the dot; says no by giving the reason. */
export type Fence = (
  accepted: readonly string[],
) => Promise<{ readonly pass: true } | { readonly pass: false; readonly why: string }>;

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
  const envelope: Envelope = {
    from: message.sender,
    to: message.recipients.filter((address) => !unsent.has(address)),
    size: message.size,
    use8BitMime: message.eightBit,
  };
  let fenced: string | undefined;
  let dotIsOut = false;
  let answer: FinalAnswer | undefined;
  let bodyHasBegun = false;
  const onBlock = () => {
    bodyHasBegun = true;
    timer.start(timeouts.blockMs);
  };
  const passFence = async () => {
    timer.stop();
    const leave = await fence(envelope.accepted ?? []);
    if (!leave.pass) {
      fenced = leave.why;
      conversation.cut(new Error(leave.why));
      throw new Error(leave.why);
    }
    if (conversation.lost) throw new Error('Connection closed unexpectedly');
    dotIsOut = true;
    tracker.enter('dot');
  };

  const usualCommands = completeCommands(connection, {
    needsUtf8: message.utf8Header,
    dsn: offers(connection, 'DSN') ? message.dsn : undefined,
  });
  const failure = await conversation.ask((done) => {
    const socket = socketOf(connection);
    if (!socket) return done(new Error('Connection closed unexpectedly'));
    connection.send(envelope, fencedBody(message.body, socket, onBlock, passFence), (error, info) => {
      // Only a whole reply to the dot comes as EMESSAGE or as success; a torn one comes with the lost connection.
      const raw = !error ? info.response : error.code === 'EMESSAGE' && dotIsOut ? error.response : undefined;
      if (raw !== undefined) answer = readAnswer(raw);
      done(error);
    });
  });
  usualCommands();
  timer.stop();

  const { timings } = tracker;
  const result = {
    timings,
    refused: new Map([...unsent, ...refusals(envelope, failure, timings)]),
    accepted: envelope.accepted ?? [],
  };
  if (fenced !== undefined) return { ...result, end: { kind: 'fenced', why: fenced } };
  if (answer && 'reply' in answer) return { ...result, end: { kind: 'answered', reply: answer.reply } };
  if (dotIsOut) {
    // Whatever follows on a connection that lost its way would be taken for the answer to the next mail.
    if (answer) conversation.cut(new Error('The final reply is not SMTP'));
    const symptom = { ...failure?.symptom, ...(answer && { reply: answer.garbage.slice(0, 200) }) };
    return { ...result, end: { kind: 'silent', failure: { stage: 'dot', symptom, timings } } };
  }
  const end = failure ?? { stage: tracker.stage, symptom: { message: 'no reply' }, timings };
  // Inside a message RSET would be one more line of it: only closing ends it unsent.
  if (bodyHasBegun) conversation.cut(new Error('The message was given up'));
  else if (!conversation.lost) await reset(opened);
  return { ...result, end: { kind: 'failed', failure: end } };
}

type FinalAnswer = { readonly reply: Reply } | { readonly garbage: string };

function readAnswer(raw: string): FinalAnswer {
  const reply = readReply(raw);
  return reply === undefined || Math.trunc(reply.code / 100) === 3 ? { garbage: raw } : { reply };
}

function refusals(
  { rejectedErrors = [] }: Envelope,
  failure: SmtpFailure | undefined,
  timings: Timings,
): (readonly [address: string, SmtpFailure])[] {
  // With PIPELINING a refused MAIL is followed by "503 no transaction" for everybody: that is not about them.
  if (failure?.stage === 'mail') return [];
  return rejectedErrors.map((error) => [
    error.recipient ?? '',
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

const isAscii = (text: string) => /^[\x20-\x7e]*$/.test(text);
