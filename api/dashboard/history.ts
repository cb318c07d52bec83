// What became of the mail of seven days, hour by hour: how much the provider took, how long that took and how much
// waited. Counted behind the mail and a minute at a time, so that looking at it reads 168 rows.
import type { Database, Queryable } from '../../deploy/database.ts';

export type Hour = {
  readonly at: Date;
  /** Recipients: the provider answered 250. */
  readonly accepted: number;
  /** The provider refused them for good. */
  readonly refused: number;
  readonly expired: number;
  /** A delivery report came after the 250. */
  readonly returned: number;
  /** The most that waited at once; null before the first sample. */
  readonly waiting: number | null;
  /** Milliseconds from due, or from accepted over SMTP, to the provider's 250; null where nothing was accepted. */
  readonly p50: number | null;
  readonly p99: number | null;
};

export type History = {
  readonly hours: readonly Hour[];
  /** Of all hours together. */
  readonly p50: number | null;
  readonly p99: number | null;
};

const shownHours = 168;
const keptDays = 8;
// A transaction that finished a mail may commit a little later than the time it wrote down.
const settlesSeconds = 30;
/** Beyond this "very many" is all that matters. */
const waitingCountedUpTo = 100_000;
// After a long pause, or the first time, some hours at a time.
const mostSlices = 24;

const hourMs = 3_600_000;
// Each class is a third wider than the one before: what a plot shows is at most that far from the truth.
const classesPerDecade = 8;

/** Counts the minutes that are over and not counted yet. Where nothing ended and no queue changed, it writes nothing. */
export async function countHistory(database: Database): Promise<void> {
  for (let slices = 0; slices < mostSlices; slices++) if (!(await countSlice(database))) return;
}

type Next = {
  readonly from: Date;
  readonly until: Date;
  readonly first: Date | null;
  readonly waiting: number;
  readonly waiting_last: number | null;
};

async function readNext(q: Queryable): Promise<Next | undefined> {
  const { rows } = await q.query<Next>({
    name: 'history-next',
    text: `
      select bounds.*, least(
          (select finished_at from recipient where finished_at >= bounds.from order by finished_at limit 1),
          (select finished_at from email where finished_at >= bounds.from and finished_at is not null order by finished_at limit 1),
          (select bounced_at from recipient where bounced_at >= bounds.from order by bounced_at limit 1)
        ) as first,
        (select count(*)::integer from (select from recipient where status in ('queued', 'deferred') limit $2) queued)
        + (select count(*)::integer from (
             select from email where status = 'pending' and not paused and next_hand_over_at <= now() limit $2) due) as waiting
      from (
        select greatest(last.counted_until, date_trunc('hour', now(), 'UTC') - interval '${shownHours} hours') as from,
               date_trunc('minute', now() - make_interval(secs => $1), 'UTC') as until, last.waiting_last
        from (select 1) one
        left join lateral (select counted_until, waiting_last from mail_hour order by hour desc limit 1) last on true
      ) bounds`,
    values: [settlesSeconds, waitingCountedUpTo],
  });
  return rows[0];
}

/** Counts up to the end of one hour; answers whether there is more to count. */
async function countSlice(database: Database): Promise<boolean> {
  const next = await readNext(database);
  if (!next || next.from >= next.until) return false;
  const { from, until, waiting } = next;
  const isSomething = next.first !== null && next.first < until;
  if (!isSomething && waiting === (next.waiting_last ?? 0)) return false;
  const hour = hourOf(isSomething && next.first ? next.first : new Date(until.getTime() - 1));
  const slice = {
    from: new Date(Math.max(from.getTime(), hour.getTime())),
    until: new Date(Math.min(until.getTime(), hour.getTime() + hourMs)),
  };
  const isLast = slice.until.getTime() === until.getTime();
  await database.transaction(async (tx) => {
    await store(
      tx,
      { hour, from, until: slice.until, waiting: isLast ? waiting : null },
      await readEnded(tx, slice),
    );
  });
  return !isLast;
}

const hourOf = (time: Date) => new Date(Math.floor(time.getTime() / hourMs) * hourMs);

type Ended = {
  readonly what: 'accepted' | 'refused' | 'expired' | 'returned';
  class: number | null;
  count: number;
};

async function readEnded(q: Queryable, { from, until }: { from: Date; until: Date }): Promise<Ended[]> {
  const { rows } = await q.query<Ended>({
    name: 'history-ended',
    text: `
      select what, class, count(*)::integer as count from (
        select case when r.status = 'sent' or r.bounced_at is not null then 'accepted'
                    when r.status = 'bounced' then 'refused' else 'expired' end as what,
               case when r.status = 'sent' or r.bounced_at is not null then
                 floor($3 * log(greatest(extract(epoch from r.finished_at - coalesce(e.due_at, m.received_at))::float8 * 1000, 1)))::integer
               end as class
        from recipient r join message m on m.queue_id = r.queue_id left join email e on e.id = r.email_id
        where r.finished_at >= $1 and r.finished_at < $2 and r.status in ('sent', 'bounced', 'expired')
        union all
        select 'returned', null from recipient where bounced_at >= $1 and bounced_at < $2
        union all
        -- It never reached the relay, so its recipients have no rows there.
        select 'expired', null from email e cross join lateral jsonb_array_elements(e.recipients)
        where e.finished_at >= $1 and e.finished_at < $2 and e.status = 'expired' and e.queue_id is null
      ) ended group by what, class`,
    values: [from, until, classesPerDecade],
  });
  return rows;
}

type Slice = {
  readonly hour: Date;
  readonly from: Date;
  readonly until: Date;
  readonly waiting: number | null;
};

/** Adds the slice to its hour, unless somebody else counted it meanwhile. */
async function store(
  tx: Queryable,
  { hour, from, until, waiting }: Slice,
  ended: readonly Ended[],
): Promise<void> {
  const { rows } = await tx.query<{ delays: number[] }>(
    'select delays from mail_hour where hour = $1 for no key update',
    [hour],
  );
  const sum = (wanted: Ended['what']) =>
    ended.filter(({ what }) => what === wanted).reduce((total, { count }) => total + count, 0);
  await tx.query(
    `insert into mail_hour as known
       (hour, counted_until, accepted, refused, expired, returned, waiting_most, waiting_last, delays)
     values ($1, $3, $4, $5, $6, $7, $8, $8, $9)
     on conflict (hour) do update set
       counted_until = excluded.counted_until,
       accepted = known.accepted + excluded.accepted, refused = known.refused + excluded.refused,
       expired = known.expired + excluded.expired, returned = known.returned + excluded.returned,
       waiting_most = greatest(known.waiting_most, excluded.waiting_most),
       waiting_last = coalesce(excluded.waiting_last, known.waiting_last),
       delays = excluded.delays
     where known.counted_until = $2`,
    [
      ...[hour, from, until],
      ...[sum('accepted'), sum('refused'), sum('expired'), sum('returned'), waiting],
      addDelays(rows[0]?.delays ?? [], ended),
    ],
  );
  await tx.query('delete from mail_hour where hour < now() - make_interval(days => $1)', [keptDays]);
}

function addDelays(known: readonly number[], ended: readonly Ended[]): number[] {
  const delays = [...known];
  for (const { class: place, count } of ended) {
    if (place === null) continue;
    while (delays.length <= place) delays.push(0);
    delays[place] = (delays[place] ?? 0) + count;
  }
  return delays;
}

type Row = Omit<Hour, 'at' | 'waiting' | 'p50' | 'p99'> & {
  readonly hour: Date;
  readonly waiting_most: number | null;
  readonly waiting_last: number | null;
  readonly delays: readonly number[];
};

/** Every hour of the last seven days, oldest first; up to a minute or two ago. */
export async function readHistory(q: Queryable): Promise<History> {
  const { rows } = await q.query<Row & { readonly now: Date }>({
    name: 'history',
    text: `select now(), hour, accepted, refused, expired, returned, waiting_most, waiting_last, delays
           from mail_hour order by hour`,
  });
  return historyOf(rows, rows[0]?.now ?? new Date());
}

/** Pure: the rows as an unbroken line of hours. Where nothing was sampled, what waited is what waited before. */
export function historyOf(rows: readonly Row[], now: Date): History {
  const end = hourOf(now).getTime();
  const byHour = new Map(rows.map((row) => [row.hour.getTime(), row]));
  const begin = end - (shownHours - 1) * hourMs;
  let waiting = rows.findLast(({ hour }) => hour.getTime() < begin)?.waiting_last ?? null;
  const all: number[] = [];
  const hours = Array.from({ length: shownHours }, (_, index): Hour => {
    const at = new Date(begin + index * hourMs);
    const row = byHour.get(at.getTime());
    row?.delays.forEach((count, place) => {
      all[place] = (all[place] ?? 0) + count;
    });
    const most = Math.max(waiting ?? -1, row?.waiting_most ?? -1);
    waiting = row?.waiting_last ?? waiting;
    const { accepted, refused, expired, returned } = row ?? {
      accepted: 0,
      refused: 0,
      expired: 0,
      returned: 0,
    };
    const counts = { accepted, refused, expired, returned, waiting: most < 0 ? null : most };
    return { at, ...counts, p50: percentile(row?.delays, 0.5), p99: percentile(row?.delays, 0.99) };
  });
  return { hours, p50: percentile(all, 0.5), p99: percentile(all, 0.99) };
}

/** Milliseconds; within a class as if it were evenly filled. */
export function percentile(delays: readonly number[] = [], part: number): number | null {
  const total = delays.reduce((sum, count) => sum + (count ?? 0), 0);
  if (total === 0) return null;
  let before = 0;
  for (let place = 0; place < delays.length; place++) {
    const count = delays[place] ?? 0;
    if (count > 0 && before + count >= part * total)
      return 10 ** ((place + (part * total - before) / count) / classesPerDecade);
    before += count;
  }
  return null;
}
