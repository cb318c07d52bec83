// Whether this is still the database it was. A restored backup believes that mail is waiting which has left long ago, so
// nothing of it goes out until a person has looked. A standby that took over with every commit is no restored backup.
// What decides is evidence: what this relay knows to be committed, or else how long ago a relay last said that it lives.
// Noticing takes one statement; holding the mail follows in batches (restored.ts), and until a mail was held the claims
// refuse it.
import type { Queryable } from '../../../deploy/database.ts';

export type ServerIdentity = {
  readonly systemIdentifier: string;
  /** Rises when a standby is promoted and when a backup is restored. */
  readonly timeline: number;
};

export type IdentityEvidence = {
  readonly current: ServerIdentity;
  /** Null in a database that no relay has used yet. */
  readonly recorded: ServerIdentity | null;
  /** When this relay last said that it lives, as this database knows it; null when it does not know it. */
  readonly ownSeenAt: Date | null;
  /** How long ago any relay last sent a heartbeat, by the database's clock; null without one. */
  readonly newestHeartbeatSeconds: number | null;
};

export type IdentityJudgement =
  | { readonly kind: 'same' }
  /** A standby took over, and nothing that was committed is missing. */
  | { readonly kind: 'promoted' }
  /** Commits are missing: of this many seconds, where that is known. */
  | { readonly kind: 'restored'; readonly missingSeconds: number | null };

/** Where no relay lives that could know: a heartbeat this young means that a standby took over. */
const promotedWithinSeconds = 60;

/**
 * Pure.
 *
 * @param acknowledged when this relay last said that it lives, as PostgreSQL acknowledged it to this process; undefined
 *   at its start
 */
export function judgeIdentity(
  { current, recorded, ownSeenAt, newestHeartbeatSeconds }: IdentityEvidence,
  acknowledged: Date | undefined,
): IdentityJudgement {
  const isSameServer = recorded === null || recorded.systemIdentifier === current.systemIdentifier;
  // What this process saw committed and is not there any more tells more than any number.
  if (acknowledged !== undefined && (ownSeenAt === null || ownSeenAt < acknowledged)) {
    return { kind: 'restored', missingSeconds: secondsBetween(ownSeenAt, acknowledged) };
  }
  if (isSameServer && (recorded === null || recorded.timeline === current.timeline)) return { kind: 'same' };
  if (!isSameServer || current.timeline < recorded.timeline)
    return { kind: 'restored', missingSeconds: null };
  if (acknowledged !== undefined) return { kind: 'promoted' };
  const isYoung = newestHeartbeatSeconds !== null && newestHeartbeatSeconds <= promotedWithinSeconds;
  return isYoung
    ? { kind: 'promoted' }
    : { kind: 'restored', missingSeconds: newestHeartbeatSeconds && Math.ceil(newestHeartbeatSeconds) };
}

/**
 * The timeline of what is written now. The control file, which others may read as well, knows it only after the first
 * checkpoint of a promoted standby.
 */
const writtenTimeline = "('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer";

/** Where a managed service does not let us ask for the other: late after a promotion, right after a restore. */
const checkpointTimeline = '(pg_control_checkpoint()).timeline_id';

type EvidenceRow = {
  systemIdentifier: string;
  timeline: number;
  recordedIdentifier: string | null;
  recordedTimeline: number | null;
  ownSeenAt: Date | null;
  newestHeartbeatSeconds: number | null;
};

async function readEvidence(q: Queryable, instance: string): Promise<IdentityEvidence> {
  const ask = (name: string, timeline: string) =>
    q.query<EvidenceRow>({
      name,
      text: `
        select (pg_control_system()).system_identifier::text as "systemIdentifier", ${timeline} as timeline,
          d.system_identifier as "recordedIdentifier", d.timeline as "recordedTimeline",
          (select seen_at from lane_replica where instance = $1) as "ownSeenAt",
          (select extract(epoch from now() - max(seen_at))::float8 from heartbeat where process = 'relay')
            as "newestHeartbeatSeconds"
        from (select) as always left join database_identity d on true`,
      values: [instance],
    });
  const { rows } = await ask('read-identity', writtenTimeline).catch((error) => {
    if (!mayNotAsk(error)) throw error;
    return ask('read-identity-at-checkpoint', checkpointTimeline);
  });
  const [row] = rows;
  if (!row) throw new Error('PostgreSQL did not say which server it is');
  const { systemIdentifier, timeline, recordedIdentifier, recordedTimeline, ...rest } = row;
  return {
    current: { systemIdentifier, timeline },
    recorded:
      recordedIdentifier === null
        ? null
        : { systemIdentifier: recordedIdentifier, timeline: recordedTimeline ?? 0 },
    ...rest,
  };
}

/**
 * A relay found its own last sign of life missing in the statement that wrote the next one.
 *
 * @param since the sign that was acknowledged, `known` the one that the database had
 */
export async function recordMissing(
  q: Queryable,
  { since, known }: { since: Date; known: Date | null },
): Promise<IdentityJudgement & { readonly isNews: boolean }> {
  const { current } = await readEvidence(q, noInstance);
  return {
    kind: 'restored',
    missingSeconds: secondsBetween(known, since),
    isNews: await recordRestore(q, current),
  };
}

const noInstance = '00000000-0000-0000-0000-000000000000';

const secondsBetween = (known: Date | null, since: Date): number | null =>
  known === null ? null : Math.ceil((since.getTime() - known.getTime()) / 1_000);

/** feature_not_supported, insufficient_privilege */
const mayNotAsk = (error: unknown): boolean =>
  ['0A000', '42501'].includes((error as { code?: string }).code ?? '');

/** Writes down which server this is. @returns whether this relay was the first to do so */
async function recordIdentity(
  q: Queryable,
  { systemIdentifier, timeline }: ServerIdentity,
): Promise<boolean> {
  const { rowCount } = await q.query(
    `insert into database_identity as d (system_identifier, timeline) values ($1, $2)
     on conflict (only_row) do update
     set system_identifier = excluded.system_identifier, timeline = excluded.timeline
     where (d.system_identifier, d.timeline) is distinct from (excluded.system_identifier, excluded.timeline)`,
    [systemIdentifier, timeline],
  );
  return rowCount > 0;
}

/**
 * Writes down that commits are missing, and how far the mail of the backup reaches: up to its newest message and email.
 * Relays that notice the same within a minute count once.
 *
 * @returns whether this relay was the first to do so
 */
async function recordRestore(q: Queryable, { systemIdentifier, timeline }: ServerIdentity): Promise<boolean> {
  const { rowCount } = await q.query(
    `update database_identity
     set system_identifier = $1, timeline = $2, restored_at = now(), restore_noticed_at = now(),
         restored_up_to_message = coalesce((select queue_id from message order by queue_id desc limit 1), ''),
         restored_up_to_email =
           coalesce((select id from email order by id desc limit 1), '00000000-0000-0000-0000-000000000000'),
         restored_emails_left = 'ffffffff-ffff-ffff-ffff-ffffffffffff'
     where restore_noticed_at is null or restore_noticed_at < now() - interval '1 minute'`,
    [systemIdentifier, timeline],
  );
  return rowCount > 0;
}

/**
 * Looks which database this is, and writes down what is new about it.
 *
 * @param acknowledged as in `judgeIdentity`
 * @returns with `isNews`: whether this relay was the first to notice
 */
export async function checkIdentity(
  q: Queryable,
  { instance, acknowledged }: { instance: string; acknowledged?: Date | undefined },
): Promise<IdentityJudgement & { readonly isNews: boolean }> {
  const evidence = await readEvidence(q, instance);
  const judgement = judgeIdentity(evidence, acknowledged);
  const record = judgement.kind === 'restored' ? recordRestore : recordIdentity;
  const isNews =
    (judgement.kind !== 'same' || evidence.recorded === null) && (await record(q, evidence.current));
  return { ...judgement, isNews };
}
