// Server-sent events: what changed, told to every open page. One look at the database serves all of them, nobody looks
// while no page is open, and a look that takes long is followed by a longer pause.
import { setTimeout as pause } from 'node:timers/promises';
import type { Response } from 'express';
import { isUnavailable, type Queryable } from '../../deploy/database.ts';
import type { Log } from '../../deploy/log.ts';
import { type Overview, readOverview } from './overview.ts';

const lookEveryMs = 1_000;
// A look may take a tenth of the time, so that a crowded database is not crowded by us.
const idleShare = 10;
// Proxies close what is silent for a minute, many of them earlier.
const beatEveryMs = 15_000;
// Events get their number before their transaction commits; this far back a late one is still noticed.
const lookBack = 200;
const atMost = 500;

export type Stream = {
  /** Answers the request with the stream; it ends with the connection, with its session, or when this process stops. */
  open(response: Response, session: string): void;
  /** Ends the streams of a session that was signed out; other processes notice within a look. */
  end(session: string): void;
  /** The overview, at most a second or so old. */
  overview(): Promise<Overview>;
};

export function openStream({
  database,
  log,
  stopping,
  lasting,
}: {
  database: Queryable;
  log: Log;
  stopping: AbortSignal;
  /** Which of these sessions last. */
  lasting: (sessions: readonly string[]) => Promise<Set<string>>;
}): Stream {
  /** Each with its session. */
  const pages = new Map<Response, string>();
  let latest: { at: number; overview: Promise<Overview> } | undefined;
  let looking = false;
  const told = new Set<string>();
  let lastEvent: string | undefined;

  stopping.addEventListener('abort', () => {
    for (const page of pages.keys()) page.end();
  });

  function overview(maxAgeMs = lookEveryMs): Promise<Overview> {
    if (!latest || performance.now() - latest.at > maxAgeMs) {
      latest = { at: performance.now(), overview: readOverview(database) };
      latest.overview.catch(() => {
        latest = undefined;
      });
    }
    return latest.overview;
  }

  /** The emails and messages that something happened to since the last look. */
  async function changes(): Promise<string[]> {
    if (lastEvent === undefined) {
      const { rows } = await database.query<{ id: string }>('select id from event order by id desc limit 1');
      lastEvent = rows[0]?.id ?? '0';
      return [];
    }
    const { rows } = await database.query<{ id: string; about: string }>({
      name: 'stream-changes',
      text: `select id, coalesce(email_id::text, queue_id) as about from event
             where id > $1::bigint - ${lookBack} order by id desc limit ${atMost}`,
      values: [lastEvent],
    });
    const fresh = rows.filter(({ id }) => !told.has(id));
    for (const { id } of fresh) told.add(id);
    if (told.size > 20 * atMost) told.clear();
    lastEvent = rows[0]?.id ?? lastEvent;
    return [...new Set(fresh.map(({ about }) => about))];
  }

  async function look(): Promise<void> {
    looking = true;
    let before = '';
    let beatAt = performance.now();
    while (pages.size > 0 && !stopping.aborted) {
      const startedAt = performance.now();
      try {
        await endSessions();
        const now = await overview(0);
        const { at: _, processes: __, ...state } = now;
        const shown = JSON.stringify(state);
        const ids = await changes();
        if (ids.length > 0) tell('changed', JSON.stringify({ ids }));
        if (shown !== before || performance.now() - beatAt > beatEveryMs / 3) {
          tell('overview', JSON.stringify(now));
          before = shown;
          beatAt = performance.now();
        }
      } catch (error) {
        before = '';
        if (isUnavailable(error)) tell('trouble', '{"database":"away"}');
        else log.error({ err: error }, 'The dashboard could not look');
      }
      const took = performance.now() - startedAt;
      await pause(Math.max(lookEveryMs, idleShare * took), undefined, { ref: false });
    }
    looking = false;
    lastEvent = undefined;
    told.clear();
  }

  function endPage(page: Response): void {
    pages.delete(page);
    page.end();
  }

  /** A page must not go on telling what its person may not see any more, whichever process took the sign-out. */
  async function endSessions(): Promise<void> {
    const still = await lasting([...new Set(pages.values())]);
    for (const [page, session] of pages) if (!still.has(session)) endPage(page);
  }

  function tell(event: string, data: string): void {
    for (const page of pages.keys()) {
      // Who does not read for that long has gone to sleep; on waking it connects again.
      if (page.writableLength > 1024 * 1024) page.destroy();
      else page.write(`event: ${event}\ndata: ${data}\n\n`);
    }
  }

  return {
    overview,
    end(session) {
      for (const [page, its] of pages) if (its === session) endPage(page);
    },
    open(response, session) {
      response.status(200).set({
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store, no-transform',
        // nginx and what is made of it would keep events until a buffer is full.
        'x-accel-buffering': 'no',
      });
      response.flushHeaders();
      response.write('retry: 2000\n\n');
      const beating = setInterval(() => response.write(': still here\n\n'), beatEveryMs);
      beating.unref();
      pages.set(response, session);
      response.on('close', () => {
        clearInterval(beating);
        pages.delete(response);
      });
      if (stopping.aborted) response.end();
      // `look` never rejects: whatever goes wrong inside is told to the pages.
      else if (!looking) void look();
      // Whoever comes later than the last change must not wait for the next.
      else
        void overview().then(
          (now) => response.write(`event: overview\ndata: ${JSON.stringify(now)}\n\n`),
          () => {},
        );
    },
  };
}
