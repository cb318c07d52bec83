// Housekeeping: what time has made useless goes. Batches are small and everything may run twice at once.
import { setTimeout as pause } from 'node:timers/promises';
import type { Queryable } from '../deploy/database.ts';
import type { Log } from '../deploy/log.ts';
import type { Address } from '../relay/client/email/email.ts';
import { forgetReports } from '../relay/client/erasure/forget-reports.ts';
import {
  type Batch,
  batchSize,
  eraseBodies,
  eraseMessages,
  firstPart,
  firstPlace,
  forgetEmails,
  forgetHeartbeats,
  forgetLogins,
  forgetMessages,
  forgetSubmissionKeys,
  type Step,
  sweepParts,
} from '../relay/client/erasure/retention.ts';
import { releaseWithoutSender } from '../relay/client/outbox/release.ts';
import { type RelayReport, readHeartbeats } from '../relay/client/status/heartbeat.ts';
import { forgetRefusals } from '../relay/client/status/refusals.ts';
import { forgetExpiredSuppressions } from '../relay/client/suppression/suppression.ts';
import { dropUndelivered, forgetDeletedWebhooks, forgetDeliveries } from '../relay/client/webhook/upkeep.ts';
import { forgetAudit } from './audit.ts';

// A backlog of years is worked off over many minutes instead of in one breath.
const batchesPerTick = 20;

export type Retention = { readonly bodySeconds: number; readonly rowsSeconds: number };

/**
 * Answers what does one tick, and tells whether there is more to do. It throws what PostgreSQL throws; the next tick goes on where this one stopped. Where
 * much is looked at, that place is kept in memory: what stands in front of it must not keep a tick from what is behind.
 */
export function openHousekeeping(
  q: Queryable,
  { retention, log, signal }: { retention: Retention; log: Log; signal: AbortSignal },
): () => Promise<boolean> {
  let eraseFrom = firstPart;
  let forgetFrom = firstPlace;
  let sweepFrom = firstPart;
  let isMore = false;

  async function inBatches(name: string, oneBatch: () => Promise<number | Batch>): Promise<void> {
    await inSteps(name, undefined, async () => {
      const done = await oneBatch();
      const batch = typeof done === 'number' ? { count: done, isEnd: done < batchSize } : done;
      return { ...batch, reached: undefined };
    });
  }

  async function inSteps<P>(
    name: string,
    from: P,
    oneStep: (from: P) => Promise<Step<P>>,
  ): Promise<Omit<Step<P>, 'count'>> {
    let total = 0;
    let [reached, isEnd] = [from, false];
    for (let i = 0; i < batchesPerTick && !isEnd && !signal.aborted; i++) {
      const step = await oneStep(reached);
      total += step.count;
      ({ reached, isEnd } = step);
    }
    if (total > 0) log.info({ task: name, count: total }, 'Housekeeping');
    if (!isEnd) isMore = true;
    return { reached, isEnd };
  }

  return async () => {
    isMore = false;
    await inBatches('erase-bodies', () => eraseBodies(q, retention.bodySeconds));
    const erased = await inSteps('erase-messages', eraseFrom, (from) =>
      eraseMessages(q, { from, olderThanSeconds: retention.bodySeconds }),
    );
    eraseFrom = erased.isEnd ? firstPart : erased.reached;
    await inBatches('forget-emails', () => forgetEmails(q, retention.rowsSeconds));
    const forgotten = await inSteps('forget-messages', forgetFrom, (from) =>
      forgetMessages(q, { from, olderThanSeconds: retention.rowsSeconds }),
    );
    forgetFrom = forgotten.isEnd ? firstPlace : forgotten.reached;
    await inBatches('forget-logins', () => forgetLogins(q));
    await inBatches('forget-refusals', () => forgetRefusals(q, retention.rowsSeconds));
    await inBatches('forget-reports', () => forgetReports(q, retention.rowsSeconds));
    await inBatches('forget-submission-keys', () => forgetSubmissionKeys(q));
    await inBatches('forget-idempotency-keys', () => forgetIdempotencyKeys(q));
    await inBatches('forget-invitations', () => forgetInvitations(q, retention.rowsSeconds));
    await inBatches('forget-audit', () => forgetAudit(q, retention.rowsSeconds));
    await inBatches('forget-expired-suppressions', () => forgetExpiredSuppressions(q));
    await inBatches('forget-webhook-deliveries', () => forgetDeliveries(q));
    await inBatches('drop-undelivered-events', () => dropUndelivered(q));
    await inBatches('forget-deleted-webhooks', () => forgetDeletedWebhooks(q));
    await forgetHeartbeats(q);
    const swept = await inSteps('sweep-parts', sweepFrom, (from) => sweepParts(q, from));
    sweepFrom = swept.isEnd ? firstPart : swept.reached;
    return isMore;
  };
}

const pauseMs = 60_000;
/** A little less than the crontab leaves between two runs. */
const goesOnForMs = 4.5 * 60_000;

/** Ticks until nothing is left: one a minute, so that it stays in the background. */
export async function keepHouse(tick: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  const endsAt = performance.now() + goesOnForMs;
  while ((await tick()) && performance.now() + pauseMs < endsAt && !signal.aborted)
    await pause(pauseMs, undefined, { signal }).catch(() => {});
}

async function forgetIdempotencyKeys(q: Queryable): Promise<number> {
  const { rowCount } = await q.query(
    `delete from idempotency_key where (principal, method, path, key) in (
       select principal, method, path, key from idempotency_key
       where keep_until < now() order by keep_until limit $1
     )`,
    [batchSize],
  );
  return rowCount;
}

/** An invitation that can no longer be accepted only tells that it was sent, and its mail tells that as well. */
async function forgetInvitations(q: Queryable, olderThanSeconds: number): Promise<number> {
  const { rowCount } = await q.query(
    `delete from invitation where id in (
       select id from invitation
       where accepted_at is null and expires_at < now() - make_interval(secs => $1)
       order by expires_at limit $2
     )`,
    [olderThanSeconds, batchSize],
  );
  return rowCount;
}

/**
 * Mail that was asked for before anybody configured a From address gets one as soon as one is known: ours, or else
 * the one the relay has. Answers how many mails could go on.
 */
export async function releaseOnceConfigured(q: Queryable, from: Address | undefined): Promise<number> {
  const sender = from ?? (await relaySender(q));
  return sender ? releaseWithoutSender(q, sender) : 0;
}

async function relaySender(q: Queryable): Promise<Address | undefined> {
  const [relay] = await readHeartbeats(q, 'relay');
  const report = relay?.report as RelayReport | undefined;
  return report?.from ? { address: report.from, name: report.from_name } : undefined;
}
