// Writing down what became of recipients. A result that is known is never lost for want of a database: it waits
// here and is tried again until it is stored.
import { setTimeout as pause } from 'node:timers/promises';
import { isUnavailable, type Queryable } from '../../../deploy/database.ts';
import type { Log } from '../../../deploy/log.ts';
import type { Status } from '../../client/vocabulary.ts';

/** The new truth about one recipient. */
export type Change = {
  readonly queueId: string;
  readonly ordinal: number;
  /** Null for what another application submitted. */
  readonly emailId: string | null;
  /** The claim it was carried under. */
  readonly token: string;
  /** The mark it bears, if any: after the lease is gone it is what still identifies our attempt. */
  readonly markedAt: string | null;
  /** How often it had been resent when we claimed it. */
  readonly resends: number;
  readonly status: Status;
  readonly reason?: string | null;
  readonly reasonDetail?: string | null;
  /** Until the next attempt; for queued, deferred, and uncertain mail that is sent again. */
  readonly delaySeconds?: number | null;
  readonly counts?: boolean;
  readonly route?: string | null;
  /** Where in the conversation it ended; only for what was not sent. */
  readonly stage?: string | null;
  readonly replyCode?: number | null;
  readonly enhancedCode?: string | null;
  readonly reply?: string | null;
  readonly providerQueueId?: string | null;
  /** The provider has taken over what the submitter wants to hear (RFC 3461): no notice of ours for its 250. */
  readonly dsnPassedOn?: boolean;
  /** The attempt that sent it, where the timeline has no row for that (attempt/timeline.ts). */
  readonly sentBy?: Readonly<Record<string, unknown>>;
  /** Its refusal shows that the address is not worth writing to again, or that it may not be. */
  readonly suppression?: { readonly spellings: readonly string[]; readonly takesTwo: boolean } | undefined;
};

export type TimelineEntry = {
  readonly type: string;
  readonly queueId: string;
  readonly emailId: string | null;
  readonly recipient?: string | null;
  /** Set when the entry tells of a change: it is written only if the change is. */
  readonly ordinal?: number;
  readonly detail: Readonly<Record<string, unknown>>;
};

export type Batch = { readonly changes: readonly Change[]; readonly entries: readonly TimelineEntry[] };
/** What the statement has changed, and when by the database's clock. */
export type Written = {
  readonly keys: ReadonlySet<string>;
  readonly at: Date;
  /** How many addresses came onto the suppression list. */
  readonly suppressed: number;
};
type Waiting = Batch & { resolve(stored: number): void };

export type Results = {
  /** Resolves when stored, with the number of recipients that were still ours to change. Never rejects. */
  store(batch: Batch): Promise<number>;
  /** Recipients whose outcome only this process knows. */
  readonly unstored: number;
  /** Stops waiting for a database that is away: marks and leases keep what was true before. */
  giveUp(): void;
};

const atOnce = 200;
/** Nobody waits for a result, so a little patience makes one statement of several. */
const togetherMs = 8;

/**
 * @param onTrouble called whenever PostgreSQL did not answer: whoever judges leases must wait
 * @param stored called with what was written, and when by the database's clock
 */
export function openResults(
  q: Queryable,
  log: Log,
  onTrouble: () => void,
  stored: (batches: readonly Batch[], written: Written) => void = () => {},
): Results {
  const waiting: Waiting[] = [];
  let isRunning = false;
  let unstored = 0;
  const closing = new AbortController();

  const drain = async () => {
    while (waiting.length > 0) {
      const group = waiting.splice(0, atOnce);
      await storeGroup(group);
      if (waiting.length > 0 && waiting.length < atOnce) await pause(togetherMs);
    }
    isRunning = false;
  };

  const storeGroup = async (group: Waiting[]): Promise<void> => {
    for (let waitMs = 50; ; waitMs = Math.min(waitMs * 2, 1_000)) {
      try {
        const written = await write(q, group);
        stored(group, written);
        for (const { changes, resolve } of group) {
          unstored -= changes.length;
          resolve(changes.filter((change) => written.keys.has(keyOf(change))).length);
        }
        return;
      } catch (error) {
        if (isUnavailable(error)) {
          onTrouble();
          log.warn(
            { err: error, event: 'results-wait', recipients: unstored },
            'PostgreSQL is unavailable; results wait',
          );
        } else if (group.length === 1) {
          // A mistake of ours. The lease runs out, and the mark decides what is true of the mail.
          log.error(
            { err: error, event: 'result-refused', queueId: group[0]?.changes[0]?.queueId },
            'Result could not be stored',
          );
          unstored -= group[0]?.changes.length ?? 0;
          group[0]?.resolve(0);
          return;
        } else {
          // One row must not keep the others from being stored.
          for (const one of group) await storeGroup([one]);
          return;
        }
        if (closing.signal.aborted) {
          for (const { resolve } of group) resolve(0);
          return;
        }
        await pause(waitMs, undefined, { signal: closing.signal }).catch(() => {});
      }
    }
  };

  return {
    get unstored() {
      return unstored;
    },
    store: (batch) =>
      new Promise((resolve) => {
        unstored += batch.changes.length;
        waiting.push({ ...batch, resolve });
        if (isRunning) return;
        isRunning = true;
        setTimeout(drain, togetherMs);
      }),
    giveUp: () => closing.abort(),
  };
}

/**
 * Writes down once more what a database has lost that took over without the last commits: also of mail that it believes
 * to wait. Resolves with the keys of the recipients that it did not know it of.
 */
export async function storeAgain(q: Queryable, batches: readonly Batch[]): Promise<ReadonlySet<string>> {
  const all = new Set<string>();
  for (let start = 0; start < batches.length; start += atOnce) {
    const { keys } = await write(q, batches.slice(start, start + atOnce), { isAgain: true });
    for (const key of keys) all.add(key);
  }
  return all;
}

export const keyOf = ({ queueId, ordinal }: { queueId: string; ordinal: number }) => `${queueId} ${ordinal}`;

const storeResults = `
  with c as materialized (
    select * from jsonb_to_recordset($1) as c (
      "queueId" text, ordinal smallint, token uuid, "markedAt" timestamptz, resends smallint, status mail_status,
      reason text, "reasonDetail" text, "delaySeconds" float8, counts boolean, route text, stage text,
      "replyCode" smallint, "enhancedCode" text, reply text, "providerQueueId" text, "dsnPassedOn" boolean,
      "sentBy" jsonb, suppression jsonb)
  ), ours as materialized (
    select c.*, r.email_id, r.notify
    from (select * from c order by "queueId" collate "C", ordinal) c
    cross join lateral (
      select r.email_id, r.notify from recipient r
      where r.queue_id = c."queueId" and r.ordinal = c.ordinal
        and case when $3::boolean
          -- Of commits that are missing: what was claimed, or given up for uncertain, may be queued in this database.
          then r.status in ('queued', 'deferred', 'sending', 'uncertain', 'held')
            and not (c.status in ('uncertain', 'held') and r.marked_at is not distinct from c."markedAt")
          else (r.status = 'sending' and r.claim_token = c.token)
          -- Late, but certain: our attempt was given up for uncertain, and perhaps queued to be sent again.
          or (c.status in ('sent', 'bounced', 'deferred') and c."markedAt" is not null
              and ((r.status in ('uncertain', 'held') and r.marked_at = c."markedAt")
                or (c.status = 'sent' and r.status in ('queued', 'deferred') and r.resends = c.resends + 1)))
          end
      for update
    ) r
  ), changed as (
    update recipient r
    set status = ours.status, reason = ours.reason, reason_detail = ours."reasonDetail",
        next_attempt_at = case when ours."delaySeconds" is not null
          then now() + ours."delaySeconds" * interval '1 second' end,
        attempts = r.attempts + coalesce(ours.counts, false)::integer,
        claim_token = null, claimed_by = null, lease_until = null,
        -- A clear no means that no data is out; only what is still unknown, or final, keeps its mark.
        marked_at = case when ours.status in ('uncertain', 'sent', 'bounced') or ours.reason = 'uncertain-twice'
          then coalesce(case when $3 then ours."markedAt" end, r.marked_at) end,
        route = coalesce(ours.route, r.route), stage = ours.stage,
        reply_code = ours."replyCode", enhanced_code = ours."enhancedCode", reply = ours.reply,
        provider_queue_id = ours."providerQueueId", sent_by = ours."sentBy",
        finished_at = case when ours.status in ('bounced', 'suppressed', 'expired', 'captured', 'sent') then now() end
    from ours where r.queue_id = ours."queueId" and r.ordinal = ours.ordinal
    returning r.queue_id, r.ordinal
  ), owed as (
    -- In this very statement, so that no crash parts a failure from the word about it. RFC 3461 section 5.2:
    -- FAILURE when nothing was asked for; SUCCESS is ours to answer when the provider knows nothing of DSN.
    insert into notice_owed (queue_id, ordinal, action)
    select ours."queueId", ours.ordinal, case when ours.status = 'sent' then 'relayed' else 'failed' end
    from ours
    join changed on changed.queue_id = ours."queueId" and changed.ordinal = ours.ordinal
    join message m on m.queue_id = ours."queueId" and m.sender <> ''
    where ours.email_id is null
      and case when ours.status = 'sent'
        then ours.notify like '%SUCCESS%' and ours."dsnPassedOn" is not true
        else ours.status::text in ('bounced', 'expired', 'suppressed')
          and coalesce(ours.notify, 'FAILURE') like '%FAILURE%' end
    on conflict do nothing
  ), told as (
    insert into event (type, queue_id, email_id, recipient, detail)
    select t.type, t."queueId", t."emailId", t.recipient, t.detail
    from jsonb_array_elements($2) with ordinality as given (entry, position)
    cross join lateral jsonb_to_record(given.entry) as t (
      type text, "queueId" text, "emailId" uuid, recipient text, ordinal smallint, detail jsonb)
    where t.ordinal is null
      or exists (select from changed where changed.queue_id = t."queueId" and changed.ordinal = t.ordinal)
    order by given.position
  )
  select null as key, now() as at, null as suppressed
  union all select queue_id || ' ' || ordinal, now(), null from changed
  -- In this very statement, too; in one order, so that no two relays wait for each other.
  union all select null, now(), suppress_recipient(
    due."queueId", due.ordinal, due.spellings, 'bounce', due.reason, due.reply, 'reply', due.takes_two, null)
  from (
    select ours."queueId", ours.ordinal, ours.reason, ours.reply, array(
      select jsonb_array_elements_text(ours.suppression -> 'spellings')) as spellings,
      (ours.suppression -> 'takesTwo')::boolean as takes_two
    from ours join changed on changed.queue_id = ours."queueId" and changed.ordinal = ours.ordinal
    where ours.suppression is not null
    order by ours.suppression -> 'spellings'
  ) due`;

async function write(q: Queryable, batches: readonly Batch[], { isAgain = false } = {}): Promise<Written> {
  const changes = batches.flatMap((batch) => batch.changes);
  const entries = batches.flatMap((batch) => batch.entries);
  const { rows } = await q.query<{ key: string | null; at: Date; suppressed: string | null }>({
    name: 'store-results',
    text: storeResults,
    values: [JSON.stringify(changes), JSON.stringify(entries), isAgain],
  });
  return {
    keys: new Set(rows.flatMap(({ key }) => key ?? [])),
    at: rows[0]?.at ?? new Date(0),
    suppressed: rows.filter(({ suppressed }) => suppressed === 'added').length,
  };
}
