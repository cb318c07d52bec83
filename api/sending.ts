// What the API needs to get mail on its way: who it is from, and the hand-over right after a commit.
import type { Database } from '../deploy/database.ts';
import type { Log } from '../deploy/log.ts';
import type { Address, InsertedEmail } from '../relay/client/email.ts';
import type { HandOver } from '../relay/client/hand-over.ts';
import { type EmailStatus, emailStatus } from '../relay/client/heartbeat.ts';
import { handOverNow } from '../relay/client/outbox.ts';
import type { Status } from '../relay/client/vocabulary.ts';

// Long enough for a busy relay, short enough for the person who waits for our answer.
const handOverPatienceMs = 2_000;

// The relay says every few seconds what it found; nothing is older than that anyway.
const senderLastsMs = 5_000;

// The default of RELAY_MAX_MESSAGE_SIZE.
const usualMaxMessageSize = 26_214_400;

export type MailState = { readonly status: Status; readonly reason: string | null };

const held: MailState = { status: 'held', reason: 'not-configured' };

export type Sending = {
  /** The default From; undefined while nobody knows one. The mail is then kept as `held`. */
  sender(): Promise<Address | undefined>;
  /** What the relay takes. `allowedSenders` is undefined while no relay has said which; it then decides itself. */
  limits(): Promise<{ allowedSenders: readonly string[] | undefined; maxMessageSize: number }>;
  /**
   * Hands committed mail to the relay, waiting at most two seconds for all of it, and tells where it is then.
   * Never throws: what could not be handed over is found by the worker.
   */
  handOver(email: InsertedEmail): Promise<MailState>;
};

/** @param from SMTP_FROM_EMAIL of this process; the relay's own is asked for when it is missing. */
export function openSending({
  database,
  handOver,
  from,
  log,
}: {
  database: Database;
  handOver: HandOver;
  from: Address | undefined;
  log: Log;
}): Sending {
  let known: { at: number; status: Promise<EmailStatus> } | undefined;

  function status(): Promise<EmailStatus> {
    if (!known || performance.now() - known.at > senderLastsMs) {
      known = { at: performance.now(), status: emailStatus(database) };
      // A failed look is not remembered: the next request looks again.
      known.status.catch(() => {
        known = undefined;
      });
    }
    return known.status;
  }

  return {
    async sender() {
      if (from) return from;
      const { report: relay } = await status();
      if (!relay?.from) return undefined;
      return { address: relay.from, ...(relay.from_name && { name: relay.from_name }) };
    },
    async limits() {
      const { report } = await status();
      return {
        allowedSenders: report?.allowed_senders,
        maxMessageSize: report?.limits.max_message_size ?? usualMaxMessageSize,
      };
    },
    async handOver(email) {
      if (!email.claim) return readState(database, email.id).catch(() => held);
      try {
        await handOverNow({ database, handOver, log }, email.claim, handOverPatienceMs);
        return await readState(database, email.id);
      } catch (error) {
        log.warn({ err: error, emailId: email.id }, 'A hand-over was left to the worker');
        return { status: 'pending', reason: null };
      }
    },
  };
}

async function readState(database: Database, emailId: string): Promise<MailState> {
  const { rows } = await database.query<MailState>({
    name: 'email-state',
    text: 'select status, reason from email where id = $1',
    values: [emailId],
  });
  return rows[0] ?? { status: 'pending', reason: null };
}
