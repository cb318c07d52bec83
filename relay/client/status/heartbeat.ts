// Heartbeats: every process says that it lives and what it found at its start. Other processes answer from this what
// only the relay knows, such as whether sending is configured.
import type { Queryable } from '../../../deploy/database.ts';
import type { Stage } from '../vocabulary.ts';
import type { MailboxAddress } from './mailbox.ts';

export type ProcessName = 'api' | 'relay' | 'worker';

/** The relay beats at least this often, because others show what it says … */
export const beatIntervalMs = 5_000;
/** … api and worker, of which there is little to say, this often … */
export const slowBeatMs = 10_000;
/** … and be taken for dead after this long without one. */
export const silentAfterSeconds = 20;

/**
 * One beat; the first one of an instance is its birth.
 *
 * @param instance a UUID drawn at the start of the process
 */
export async function beat(
  q: Queryable,
  {
    instance,
    process,
    report,
  }: { instance: string; process: ProcessName; report: Readonly<Record<string, unknown>> },
): Promise<void> {
  await q.query({
    name: 'beat',
    text: `
      insert into heartbeat (instance, process, report) values ($1, $2, $3)
      on conflict (instance) do update set seen_at = now(), asleep_since = null, asleep_until = null,
        -- What it says is stored apart, and written again only when it is something else.
        report = case when heartbeat.report = excluded.report then heartbeat.report else excluded.report end`,
    values: [instance, process, JSON.stringify(report)],
  });
}

/** A process that sleeps and did not come back by its own time is taken for dead this much later. */
const oversleptSeconds = 60;

/**
 * The last beat of a process before it sleeps (IDLE=sleep).
 *
 * @returns false when it may not, because another process has not said that its knocks are answered: it might have
 * something to tell that would be heard by nobody
 */
export async function beatAsleep(q: Queryable, instance: string, forMs: number): Promise<boolean> {
  const { rowCount } = await q.query({
    name: 'beat-asleep',
    text: `
      update heartbeat set seen_at = now(), asleep_since = now(),
        asleep_until = now() + $2::float8 * interval '1 millisecond'
      where instance = $1 and not exists (
        select from heartbeat other
        where other.instance <> $1 and not coalesce(other.report -> 'knocks' = 'true', false)
          and (other.seen_at > now() - make_interval(secs => ${silentAfterSeconds})
            or other.asleep_until > now() - make_interval(secs => ${oversleptSeconds})))`,
    values: [instance, forMs],
  });
  return rowCount > 0;
}

export type Heartbeat = {
  readonly instance: string;
  readonly process: ProcessName;
  readonly startedAt: Date;
  readonly seenAt: Date;
  /** By the database's clock. One that sleeps until a time that has not come is alive. */
  readonly alive: boolean;
  /** Null while it is awake. */
  readonly asleepSince: Date | null;
  readonly report: Readonly<Record<string, unknown>>;
};

/** All processes that were ever seen and not yet forgotten: the living first, the youngest first among them. */
export async function readHeartbeats(q: Queryable, process?: ProcessName): Promise<Heartbeat[]> {
  const { rows } = await q.query<Heartbeat>(
    `select instance, process, started_at as "startedAt", seen_at as "seenAt", report,
            (seen_at > now() - make_interval(secs => $1)
             -- Whoever is awake knocks at the others: who sleeps on does not live.
             or coalesce(asleep_until > now() - make_interval(secs => ${oversleptSeconds}), false)
               and not exists (select from heartbeat k where k.seen_at > now() - make_interval(secs => $1)
                 and k.asleep_since is null and k.report -> 'knocks' = 'false')) as alive,
            asleep_since as "asleepSince"
     from heartbeat where $2::text is null or process = $2
     order by alive desc, started_at desc`,
    [silentAfterSeconds, process ?? null],
  );
  return rows;
}

/** What a relay says of itself with every beat. */
export type RelayReport = {
  readonly configured: boolean;
  /** Canonical names of required variables that are missing or blank. */
  readonly missing: readonly string[];
  readonly problems: readonly Readonly<Record<string, unknown>>[];
  readonly delivery_mode: string;
  readonly limits: { readonly max_message_size: number };
  /** Addresses, `*@domain` or `*`. */
  readonly allowed_senders: readonly string[];
  readonly from?: string;
  readonly from_name?: string;
  readonly routes: readonly Readonly<Record<string, unknown>>[];
  /** One for each provider; missing until delivery has started. */
  readonly lanes?: readonly LaneReport[];
  readonly secrets: Readonly<Record<string, { readonly length: number; readonly fingerprint: string }>>;
  /** What the relay found when it last examined its way out; missing until it has. */
  readonly preflight?: PreflightReport;
  /** Where delivery reports are read; missing while none are. */
  readonly mailbox?: MailboxAddress;
  /** With IDLE=sleep: whether the processes that it wakes have answered. */
  readonly knocks?: boolean;
};

/** A credential and whether it lets mail out. Times are RFC 3339. */
export type LaneReport = {
  readonly name: string;
  readonly state: 'open' | 'paused' | 'stopped' | 'unreachable';
  readonly cause: string | null;
  /** The reply of the provider, or the error of the system. */
  readonly detail: string | null;
  readonly since: string;
  readonly next_probe_at: string | null;
  /** When the provider last took the credential. */
  readonly proven_at?: string | null;
  /** When the relay that reports last handed a mail over here; null when it has not. */
  readonly last_taken_at?: string | null;
  /** When the hourly or daily limit has room again; null while it has. */
  readonly paced_until: string | null;
  /** What the operator has set, in recipients; null where nothing is. */
  readonly max_per_hour: number | null;
  readonly max_per_day: number | null;
  readonly held_senders: readonly {
    readonly sender: string;
    readonly cause: string;
    readonly detail: string;
    readonly since: string;
    /** When one mail of this sender tries again whether the provider takes it. */
    readonly next_probe_at: string | null;
  }[];
};

/** Whether mail can leave, and if not, why: in words that may be shown to anybody who operates Postern. */
export type PreflightReport = {
  readonly ok: boolean;
  readonly at: string;
  readonly platform: string;
  /** By which route mail leaves now. */
  readonly route: string | null;
  readonly diagnosis: {
    readonly stage: Stage;
    readonly cause: string;
    /** The variables to look at first. */
    readonly variables: readonly string[];
    readonly title: string;
    readonly meaning: string;
    readonly fix: string;
    /** Where to set it on the platform of the relay. */
    readonly where: string;
    readonly because: string | null;
    readonly route: string | null;
    readonly reply: string | null;
  } | null;
  readonly walks: readonly {
    readonly route: string;
    readonly host: string;
    readonly port: number;
    readonly family: string | null;
    /** Whole days until the provider's certificate ends; null where none was shown. */
    readonly certificate_days_left: number | null;
    readonly failed_at: Stage | null;
    readonly cause: string | null;
    readonly reply: string | null;
  }[];
  /** What does not stop mail but should be known. */
  readonly notes: readonly string[];
  /** The provider is the stand-in of `npm start`, which sends nothing on. */
  readonly stand_in?: boolean;
};

/** What a worker says of itself with every beat. */
export type WorkerReport = {
  /** graphile-worker's name for this process: jobs are locked under it. */
  readonly pool: string | null;
  /** How long ago it last looked for due mail without an error; null while it never did. */
  readonly last_sweep_ms_ago: number | null;
  /** Emails the relay has taken from this process since its start. */
  readonly handed_over: number;
  /** Why the relay does not take mail at the moment. */
  readonly relay_away: string | null;
  /** With IDLE=sleep: whether the processes that it wakes have answered. */
  readonly knocks?: boolean;
};

/** Reckoned back from the beat, so that the worker's clock does not matter. */
function lastTickOf({ seenAt, report }: Heartbeat): number | null {
  const { last_sweep_ms_ago: ago } = report as WorkerReport;
  return ago === null ? null : seenAt.getTime() - ago;
}

export type EmailStatus = {
  readonly configured: boolean;
  readonly missing: readonly string[];
  readonly hint?: string;
  readonly relay: 'running' | 'asleep' | 'silent' | 'never seen';
  /** What the relay reported, as it was when it was last seen. */
  readonly report?: RelayReport;
  /** Whether anyone hands over scheduled mail, and when they last looked. */
  readonly scheduler: { readonly running: boolean; readonly lastTick: Date | null };
};

const missingHint =
  "Set these in your deployment platform's environment variables (e.g. Coolify, Render), not only in .env.";
const neverSeenHint = 'The relay has not started yet, so its settings are not known. Read its log.';

/** One that sleeps is woken by whatever is asked of it. */
export const isAway = (relay: EmailStatus['relay']): boolean => relay === 'silent' || relay === 'never seen';

/** Whether mail can leave, as the relay process saw it at its start; the youngest living relay speaks for all. */
export async function emailStatus(q: Queryable): Promise<EmailStatus> {
  const heartbeats = await readHeartbeats(q);
  const relay = heartbeats.find(({ process }) => process === 'relay');
  const workers = heartbeats.filter(({ process }) => process === 'worker');
  const ticks = workers.map(lastTickOf).filter((tick) => tick !== null);
  const scheduler = {
    running: workers.some(({ alive }) => alive),
    lastTick: ticks.length === 0 ? null : new Date(Math.max(...ticks)),
  };
  if (!relay) {
    return { configured: false, missing: [], hint: neverSeenHint, relay: 'never seen', scheduler };
  }
  const report = relay.report as RelayReport;
  return {
    configured: report.configured,
    missing: report.missing,
    ...(report.missing.length > 0 ? { hint: missingHint } : {}),
    relay: relay.alive ? (relay.asleepSince ? 'asleep' : 'running') : 'silent',
    report,
    scheduler,
  };
}
