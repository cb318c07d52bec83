// DATA: a message is read, judged, committed and answered.
import type { SMTPServerDataStream, SMTPServerSession } from 'smtp-server';
import type { Budget } from '../../deploy/budget.ts';
import { type Database, isUnavailable } from '../../deploy/database.ts';
import type { Log } from '../../deploy/log.ts';
import { normalizeAddress } from '../client/address/address.ts';
import { withTagsOfKey } from '../client/email/tag.ts';
import { newQueueId } from '../client/queue-id.ts';
import { type FirstStatus, statusOfAll } from '../policy/first-status.ts';
import type { Acceptance, Accepted, Refused } from './accept.ts';
import { messageRequestOf, recipientRequestOf } from './dsn-connection.ts';
import { credentialOf } from './envelope.ts';
import type { Submission } from './group.ts';
import type { SenderRule, SessionKey } from './keys.ts';
import type { Limits } from './limits.ts';
import type { Networks } from './networks.ts';
import { type Received, receive } from './receive.ts';
import { receivedField } from './received.ts';
import { asReplyError, databaseAway, diskFull, ourMistake, type Refusal } from './refusal.ts';
import { repeatOf } from './repeat.ts';

// Housekeeping sweeps parts that have no message after an hour; long before, their message is given up.
const longestMs = 30 * 60_000;

export type MessageTaker = (
  stream: SMTPServerDataStream,
  session: SMTPServerSession,
  callback: (error?: Error | null, text?: string) => void,
) => void;

type Taker = {
  readonly database: Database;
  readonly log: Log;
  readonly budget: Budget;
  readonly acceptance: Acceptance;
  readonly networks: Networks;
  /** Who this session may send as. */
  readonly sendersOf: (session: object) => SenderRule;
  /** The key that this session logged in with, when it is one. */
  readonly keyOf: (session: object) => SessionKey | undefined;
  readonly limits: Limits;
  readonly hostname: string;
  /** The one of Postern's own processes, who hand over emails. */
  readonly ownCredential: string;
  /** Where a recipient starts. */
  readonly firstStatus: (address: string) => FirstStatus;
  /** An address as the log may show it. */
  readonly show: (address: string) => string;
  /** Called for each mail whose senders were changed. */
  readonly rewritten: (() => void) | undefined;
};

export const openMessageTaker =
  (taker: Taker): MessageTaker =>
  (stream, session, callback) => {
    const queueId = newQueueId();
    answerFor(taker, stream, session, queueId).then(
      (answer) => {
        if (typeof answer === 'string') {
          callback(null, `2.0.0 queued as ${answer}`);
          return;
        }
        callback(asReplyError(answer));
      },
      (error) => {
        callback(asReplyError(explain(error, queueId, taker.log)));
      },
    );
  };

/** The queue id of a message that is ours now, or why it is not. Rejects when the client or the database goes away. */
async function answerFor(
  taker: Taker,
  stream: SMTPServerDataStream,
  session: SMTPServerSession,
  queueId: string,
): Promise<string | Refusal> {
  const { database, budget, networks, hostname } = taker;
  const key = taker.keyOf(session);
  const credential = credentialOf(session, networks) as string;
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
      ...taker.sendersOf(session),
      mailFrom: sender,
      mayHandOverEmails: credential === taker.ownCredential,
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
    ...taker.firstStatus(address),
    ...recipientRequestOf(envelope.rcptTo[at] as object),
  }));
  const result = await acceptWithin(taker, key, {
    queueId,
    credential,
    client: remoteAddress,
    email: admission.email,
    ...repeatOf(message),
    ...admission.labels,
    tags: withTagsOfKey(admission.labels.tags, key?.tags),
    keyName: key?.name,
    sender: admission.mailFrom,
    were: admission.were,
    headerFrom: admission.headerFrom,
    messageId: admission.messageId,
    subject: admission.subject,
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
  told(taker, result, { queued: message, credential, key, sender, recipients: recipients.length });
  return result.queueId;
}

/** Within the limits of the key that the client logged in with, when it was one. */
async function acceptWithin(
  { acceptance, limits }: Taker,
  key: SessionKey | undefined,
  submission: Submission,
): Promise<Accepted | Refused> {
  if (!key) return acceptance.accept(submission);
  const recipients = submission.recipients.length;
  // It may have been revoked while the message arrived.
  const refusal = limits.refusalOf(key) ?? (await limits.count(key, recipients));
  if (refusal) return { outcome: 'refused', refusal };
  const result = await acceptance.accept(submission);
  if (result.outcome !== 'accepted') await limits.giveBack(key, recipients);
  return result;
}

/** Says in the log, and counts, what became of a message. */
function told(
  { log, show, rewritten }: Taker,
  result: Accepted,
  {
    queued: { admission, size },
    credential,
    key,
    sender,
    recipients,
  }: {
    queued: Received;
    credential: string;
    key: SessionKey | undefined;
    sender: string;
    recipients: number;
  },
): void {
  const isRewritten = Object.keys(admission.were).length > 0;
  if (isRewritten && result.outcome === 'accepted') rewritten?.();
  log.info(
    {
      event: result.outcome === 'accepted' ? 'queued' : 'queued-before',
      queueId: result.queueId,
      emailId: admission.email?.id,
      traceId: result.traceId,
      credential,
      key: key?.name,
      sender: show(admission.mailFrom),
      ...(isRewritten && { rewrittenFrom: show(admission.were.fromWas ?? sender) }),
      recipients,
      size,
    },
    result.outcome === 'accepted' ? 'Mail queued' : 'The same mail was queued before',
  );
}

function explain(error: unknown, queueId: string, log: Log): Refusal {
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

function protocolOf({ openingCommand, secure, user }: SMTPServerSession, smtputf8: boolean): string {
  const base = smtputf8 ? 'UTF8SMTP' : openingCommand === 'EHLO' ? 'ESMTP' : 'SMTP';
  return base + (secure ? 'S' : '') + (user ? 'A' : '');
}

const isGone = (error: unknown) => {
  const { code } = error as { code?: unknown };
  return code === 'ECONNECTION' || code === 'ERR_STREAM_PREMATURE_CLOSE';
};
