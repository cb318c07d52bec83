// Refusals are seen: each is a line of the log and a step of a counter, and what repeats is one row with a count for the
// dashboard. A client that floods us fills neither memory nor the database: rows are gathered, and few are kept of each.
import { createHash } from 'node:crypto';
import type { Queryable } from '../../deploy/database.ts';
import type { Log } from '../../deploy/log.ts';
import type { Metrics } from '../../deploy/metrics.ts';
import type { RefusalReason, RefusalStage } from './refusal-reason.ts';
import { networkOf } from './throttle.ts';

export type NotedRefusal = {
  readonly client: string;
  /** Who it is, or the name it tried to log in with. */
  readonly credential: string;
  readonly stage: RefusalStage;
  readonly reason: RefusalReason;
  readonly sender: string;
  readonly reply: string;
};

export type Refusals = AsyncDisposable & {
  note(refusal: NotedRefusal): void;
};

const writeEveryMs = 5_000;
/** Rows that wait to be written, and in one write. */
const mostWaiting = 1_000;
const mostAtOnce = 100;
/** Rows of one client in an hour; what goes beyond is counted in a row without names. */
const mostPerClient = 20;
const mostClients = 5_000;
/** Rows in the table; the newest are kept. */
const mostRows = 10_000;
const longestName = 100;
const longestReply = 500;

type Row = {
  readonly key: string;
  readonly client: string;
  readonly credential: string;
  readonly stage: string;
  readonly reason: string;
  sender: string;
  reply: string;
  count: number;
};

/**
 * Long because its small functions share the counts that were not written yet.
 *
 * @param show what of an address may stand in the log
 */
export function openRefusals({
  database,
  log,
  metrics,
  show,
}: {
  database: Queryable;
  log: Log;
  metrics: Metrics | undefined;
  show: (address: string) => string;
}): Refusals {
  const counter = metrics?.counter({
    name: 'postern_submission_refusals_total',
    help: 'Refusals of SMTP submission, by command and reason.',
    labels: ['stage', 'reason'],
  });
  // From 0 on, so that the first one is an increase.
  for (const reason of ['wrong-login', 'login-throttled']) counter?.({ stage: 'auth', reason }, 0);
  const waiting = new Map<string, Row>();
  let keysOf = new Map<string, Set<string>>();
  let hour = 0;
  let writing: Promise<void> | undefined;
  const timer = setInterval(() => void write(), writeEveryMs);
  timer.unref();

  function gather({ credential, stage, reason, sender, reply, ...refusal }: NotedRefusal): void {
    const now = Math.floor(Date.now() / 3_600_000);
    if (now !== hour) keysOf = new Map();
    hour = now;
    const client = networkOf(refusal.client);
    const named = keyOf(client, credential, stage, reason, hour);
    const isRoomy = mayName(client, named);
    const key = isRoomy ? named : keyOf(client, '', stage, reason, hour);
    const row = waiting.get(key);
    if (row) Object.assign(row, { count: row.count + 1, reply, ...(isRoomy && { sender }) });
    else if (waiting.size < mostWaiting) {
      waiting.set(key, {
        key,
        client,
        credential: isRoomy ? credential : '',
        stage,
        reason,
        sender: isRoomy ? sender : '',
        reply,
        count: 1,
      });
    }
  }

  function mayName(client: string, key: string): boolean {
    const keys = keysOf.get(client);
    if (!keys) {
      if (keysOf.size >= mostClients) return false;
      keysOf.set(client, new Set([key]));
      return true;
    }
    if (keys.has(key)) return true;
    if (keys.size >= mostPerClient) return false;
    keys.add(key);
    return true;
  }

  function write(): Promise<void> {
    writing ??= writeOnce().finally(() => {
      writing = undefined;
    });
    return writing;
  }

  async function writeOnce(): Promise<void> {
    const rows = [...waiting.values()].slice(0, mostAtOnce);
    if (rows.length === 0) return;
    for (const { key } of rows) waiting.delete(key);
    try {
      await store(database, rows);
    } catch (error) {
      log.debug({ err: error, event: 'refusals-unwritten' }, 'Refusals could not be stored yet');
      for (const row of rows) {
        const later = waiting.get(row.key);
        if (later) later.count += row.count;
        else if (waiting.size < mostWaiting) waiting.set(row.key, row);
      }
    }
  }

  return {
    note(refusal) {
      const { client, stage, reason } = refusal;
      const credential = plain(refusal.credential, longestName);
      const reply = plain(refusal.reply, longestReply);
      counter?.({ stage, reason });
      log.info(
        {
          event: 'rejected',
          client,
          credential: credential || undefined,
          stage,
          reason,
          reply: reply.replace(/[^\s<>,]+@[^\s<>,]+/g, show),
        },
        'A client was refused',
      );
      gather({ ...refusal, credential, reply, sender: plain(refusal.sender, 320) });
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await writing;
      await write();
    },
  };
}

const keyOf = (...parts: readonly (string | number)[]) =>
  createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 32);

/** PostgreSQL takes no NUL, and a reader no control characters. */
const plain = (text: string, longest: number) => text.replace(/\p{Cc}+/gu, ' ').slice(0, longest);

async function store(q: Queryable, rows: readonly Row[]): Promise<void> {
  await q.query({
    name: 'store-refusals',
    text: `
      with stored as (
        insert into refusal as r (key, client, credential, stage, reason, sender, reply, count)
        select key, client, credential, stage, reason, sender, reply, count
        from json_to_recordset($1) as given (
          key text, client text, credential text, stage text, reason text, sender text, reply text, count integer)
        order by key
        on conflict (key) do update set
          count = r.count + excluded.count, last_at = now(), reply = excluded.reply, sender = excluded.sender
      )
      -- The oldest go where there are too many; this statement does not see its own rows yet, and need not.
      delete from refusal where key in (select key from refusal order by last_at desc offset $2 limit $3)`,
    values: [JSON.stringify(rows), mostRows, 2 * mostAtOnce],
  });
}
