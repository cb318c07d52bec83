// Whether this is still the database it was. A restored backup believes that mail is waiting which has left long ago, so
// nothing of it goes out until a person has looked. A standby that took over with every commit is no restored backup.
// What decides is evidence: what living relays know to be committed, or else how long ago a relay last said that it lives.
// Noticing takes one statement. After a promotion the living relays then say what they know (missing-commits.ts); the
// mail of a restored backup is held in batches (restored.ts). Until that is done the claims refuse what was there.
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
  /** The newest commit that this server had when it took over; null where it does not say. */
  readonly takenOverAt: Date | null;
};

/** What this process knows by itself; undefined at its start. */
export type Knowledge = {
  /** When it last said that it lives, as PostgreSQL acknowledged it. */
  readonly acknowledged: Date | undefined;
  /** The server it has used until now. */
  readonly server: ServerIdentity | undefined;
};

export type IdentityJudgement =
  | { readonly kind: 'same' }
  /** A standby took over. Whether it has every commit, each living relay looks up (missing-commits.ts). */
  | { readonly kind: 'promoted'; readonly since: Date | null }
  /** Commits that this process saw are missing, all of them later than `since`. */
  | { readonly kind: 'missing'; readonly since: Date }
  /** Another database than before, as far as anybody can tell: of this many seconds, where that is known. */
  | { readonly kind: 'restored'; readonly missingSeconds: number | null };

/** Where no relay lives that could know: a heartbeat this young means that a standby took over. */
const promotedWithinSeconds = 60;

/** Pure. */
export function judgeIdentity(
  { current, recorded, ownSeenAt, newestHeartbeatSeconds, takenOverAt }: IdentityEvidence,
  { acknowledged, server }: Knowledge,
): IdentityJudgement {
  const since = newest(takenOverAt, ownSeenAt);
  const isOther = recorded !== null && !mayFollow(recorded, current);
  // What this process saw committed and is not there any more tells more than any number.
  if (acknowledged !== undefined && (ownSeenAt === null || ownSeenAt < acknowledged)) {
    if (since !== null && !isOther) return { kind: 'missing', since };
    return { kind: 'restored', missingSeconds: secondsBetween(since, acknowledged) };
  }
  if (isOther) return { kind: 'restored', missingSeconds: null };
  // Another relay may have written down which server this is, and know less of it than we do.
  const before = server ?? recorded;
  if (before === null || before.timeline === current.timeline) return { kind: 'same' };
  if (acknowledged !== undefined) return { kind: 'promoted', since };
  const isYoung = newestHeartbeatSeconds !== null && newestHeartbeatSeconds <= promotedWithinSeconds;
  return isYoung
    ? { kind: 'promoted', since }
    : { kind: 'restored', missingSeconds: newestHeartbeatSeconds && Math.ceil(newestHeartbeatSeconds) };
}

/** A standby has the identifier of its primary, and begins a later timeline when it takes over. */
const mayFollow = (before: ServerIdentity, now: ServerIdentity) =>
  before.systemIdentifier === now.systemIdentifier && before.timeline <= now.timeline;

function newest(one: Date | null, other: Date | null): Date | null {
  if (one === null || other === null) return one ?? other;
  return one > other ? one : other;
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
  takenOverAt: Date | null;
  isAsking: boolean;
  isAskingUs: boolean;
};

async function readEvidence(
  q: Queryable,
  instance: string,
): Promise<IdentityEvidence & Pick<IdentityLook, 'isAsking' | 'isAskingUs'>> {
  const ask = (name: string, timeline: string) =>
    q.query<EvidenceRow>({
      name,
      text: `
        select (pg_control_system()).system_identifier::text as "systemIdentifier", ${timeline} as timeline,
          d.system_identifier as "recordedIdentifier", d.timeline as "recordedTimeline",
          (select seen_at from lane_replica where instance = $1) as "ownSeenAt",
          (select extract(epoch from now() - max(seen_at))::float8 from heartbeat where process = 'relay')
            as "newestHeartbeatSeconds",
          pg_last_xact_replay_timestamp() as "takenOverAt",
          d.asked is not null as "isAsking", coalesce($1 = any(d.asked), false) as "isAskingUs"
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

const secondsBetween = (known: Date | null, since: Date): number | null =>
  known === null ? null : Math.ceil((since.getTime() - known.getTime()) / 1_000);

/** feature_not_supported, insufficient_privilege */
const mayNotAsk = (error: unknown): boolean =>
  ['0A000', '42501'].includes((error as { code?: string }).code ?? '');

const upToNewest = `
         restored_up_to_message = coalesce((select queue_id from message order by queue_id desc limit 1), ''),
         restored_up_to_email =
           coalesce((select id from email order by id desc limit 1), '00000000-0000-0000-0000-000000000000'),
         restored_emails_left = 'ffffffff-ffff-ffff-ffff-ffffffffffff'`;

/**
 * A standby took over: all mail that is there waits until each relay that lived a moment ago has said what it knows,
 * or has not said anything for some seconds (missing-commits.ts). A backup that is being held already stays what it is.
 */
async function askRelays(
  q: Queryable,
  { systemIdentifier, timeline }: ServerIdentity,
  { known, since, isLate }: { known: readonly string[]; since: Date | null; isLate: boolean },
): Promise<boolean> {
  const { rowCount } = await q.query(
    `update database_identity
     set system_identifier = $1, timeline = $2, restored_at = now(), ${upToNewest},
         missing_since = null, missing_until = null,
         asked = array(
           select distinct instance from (
             select unnest($3::uuid[]) as instance
             union all
             select instance from lane_replica
             where not $4
               and seen_at > coalesce($5, (select max(seen_at) from lane_replica)) - interval '8 seconds') lived)
     where restored_at is null`,
    [systemIdentifier, timeline, isLate ? known.slice(-1) : known, isLate, since],
  );
  return rowCount > 0;
}

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
         asked = null, missing_since = null, missing_until = null, ${upToNewest}
     where restore_noticed_at is null or restore_noticed_at < now() - interval '1 minute'`,
    [systemIdentifier, timeline],
  );
  return rowCount > 0;
}

export type IdentityLook = {
  readonly judgement: IdentityJudgement;
  readonly current: ServerIdentity;
  /** This relay was the first to notice. */
  readonly isNews: boolean;
  /** Relays are being asked what they know, and mail that was there when the standby took over waits for them. */
  readonly isAsking: boolean;
  readonly isAskingUs: boolean;
};

/**
 * Looks which database this is, and writes down what is new about it.
 *
 * @param ownSeenAt where it is known by another statement
 */
export async function checkIdentity(
  q: Queryable,
  {
    instance,
    knowledge = { acknowledged: undefined, server: undefined },
    known = [],
    ownSeenAt,
  }: {
    instance: string;
    knowledge?: Knowledge;
    /** Relays that this one has lately seen alive. */
    known?: readonly string[];
    ownSeenAt?: Date | null;
  },
): Promise<IdentityLook> {
  const { isAsking, isAskingUs, ...read } = await readEvidence(q, instance);
  const evidence = ownSeenAt === undefined ? read : { ...read, ownSeenAt };
  const { current, recorded } = evidence;
  const judgement = judgeIdentity(evidence, knowledge);
  const look = { judgement, current, isNews: false, isAsking, isAskingUs };
  if (judgement.kind === 'same')
    return { ...look, isNews: recorded === null && (await recordIdentity(q, current)) };
  if (judgement.kind === 'restored') return { ...look, isNews: await recordRestore(q, current) };
  const isLiving = knowledge.acknowledged !== undefined;
  // The others have noticed before us, and have said what they know.
  const isLate = recorded?.timeline === current.timeline && knowledge.server?.timeline !== current.timeline;
  const isNews =
    isLate && judgement.kind === 'promoted'
      ? false
      : await askRelays(q, current, {
          known: isLiving ? [...known, instance] : known,
          since: judgement.since,
          isLate,
        });
  return { ...look, isNews, isAsking: true, isAskingUs: isLiving };
}
