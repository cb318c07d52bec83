// The one way in which a recipient comes to rest or waits again: its row and its timeline, then a line of the log, the
// metrics, and the notice to whoever submitted it.
import { type Log, maskAddress, maskAddresses } from '../../deploy/log.ts';
import { traceIdOf } from '../../deploy/trace.ts';
import { keepUnknownReply } from '../client/status/unknown-replies.ts';
import type { ClaimedMail, ClaimedRecipient } from '../policy/claimed-mail.ts';
import { isUnnamed, templateOf } from '../verdict/unnamed.ts';
import { aside, backInQueue } from './attempt/change.ts';
import { asideEntry } from './attempt/timeline.ts';
import type { DeliveryContext } from './context.ts';
import type { NoticeWriter } from './notices/owed.ts';
import type { Change, Results, TimelineEntry } from './queue/results.ts';
import type { DeliverySettings } from './settings.ts';

export type Settle = {
  /**
   * What an attempt made of recipients. Resolves when it is stored.
   *
   * @param attempt written when no recipient was ours to change any more: it took place all the same
   */
  settle(
    mail: ClaimedMail,
    changes: readonly Change[],
    entries: readonly TimelineEntry[],
    attempt?: TimelineEntry,
  ): Promise<void>;
  /** Ends a mail, or holds it, without a word to the provider. */
  setAside(
    mail: ClaimedMail,
    outcome: {
      status: 'held' | 'expired' | 'captured' | 'suppressed';
      cause: string | null;
      detail: string | null;
    },
    recipients?: readonly ClaimedRecipient[],
  ): Promise<void>;
  /** Back into the queue: nothing has happened to the recipients. */
  giveBack(
    mail: ClaimedMail,
    recipients?: readonly ClaimedRecipient[],
    more?: { delaySeconds?: number; entries?: readonly TimelineEntry[] },
  ): Promise<void>;
};

export function openSettle(context: DeliveryContext, results: Results, notices: NoticeWriter): Settle {
  async function settle(
    mail: ClaimedMail,
    changes: readonly Change[],
    entries: readonly TimelineEntry[],
    attempt?: TimelineEntry,
  ): Promise<void> {
    // Before the outcome is stored: whoever hears of that looks, and is not told again.
    await Promise.all(changes.map((change) => keepUnknown(context, change)));
    const stored = await results.store({ changes, entries });
    if (attempt && stored === 0 && !entries.includes(attempt))
      await results.store({ changes: [], entries: [attempt] });
    for (const change of changes) {
      tell(context, mail, change);
      context.measures.outcome(change.status, change.reason ?? null);
    }
    if (mayOweNotice(mail, changes)) await notices.write();
  }

  return {
    settle,
    async setAside(mail, outcome, recipients = mail.recipients) {
      const changes = recipients.map((recipient) => aside(mail, recipient, outcome));
      const entries = recipients.map((recipient, index) =>
        asideEntry(mail, recipient, changes[index] as Change),
      );
      await settle(mail, changes, entries);
    },
    async giveBack(mail, recipients = mail.recipients, { delaySeconds, entries = [] } = {}) {
      const changes = recipients.map((recipient) => backInQueue(mail, recipient, delaySeconds));
      await results.store({ changes, entries });
    },
  };
}

const failures: readonly string[] = ['bounced', 'expired', 'suppressed'];

/** Which of these are owed a notice the database knows; a plain success must not cost a look. */
function mayOweNotice({ recipients }: ClaimedMail, changes: readonly Change[]): boolean {
  const wantsSuccess = recipients.some(({ notify }) => notify?.includes('SUCCESS'));
  return changes.some(({ status }) => failures.includes(status) || (wantsSuccess && status === 'sent'));
}

/** What no rule knew by its words, for a person to look at. */
async function keepUnknown(
  { database, measures, tryTo }: DeliveryContext,
  { reason = null, reply = null }: Change,
): Promise<void> {
  if (reason === null || reply === null || !isUnnamed(reason)) return;
  measures.unknownReply(reason);
  await tryTo('keeping an unknown reply', () => keepUnknownReply(database, templateOf(reply), reason));
}

/** Postfix's line, as JSON: one per recipient and attempt. */
function tell(
  { log, settings }: { log: Log; settings: DeliverySettings },
  mail: ClaimedMail,
  change: Change,
) {
  const recipient = mail.recipients.find(({ ordinal }) => ordinal === change.ordinal);
  if (!recipient) return;
  const { status, route, enhancedCode, reply, reason } = change;
  log.info(
    {
      event: status,
      ...idsOf(mail),
      recipient: shown(settings, recipient.address),
      ...(route && { route, attempt: recipient.attempts + 1 }),
      delay: Math.round((Date.now() - mail.receivedAt.getTime()) / 100) / 10,
      dsn: enhancedCode,
      // Providers like to quote the address they are talking about.
      reply: settings.logAddresses === 'full' ? reply : reply && maskAddresses(reply),
      ...(reason && { cause: reason }),
    },
    status,
  );
}

/** What every line of the log about a mail says; what other applications submitted has neither email nor trace. */
export const idsOf = ({ queueId, emailId, traceparent }: ClaimedMail) => ({
  queueId,
  emailId,
  traceId: traceIdOf(traceparent),
});

export const shown = ({ logAddresses }: DeliverySettings, address: string) =>
  logAddresses === 'full' ? address : maskAddress(address);
