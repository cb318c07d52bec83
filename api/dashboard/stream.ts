// The events that every open page of the dashboard hears: what changed, and the overview. One query of the database
// serves all pages, nothing is asked while no page is open, and a query that takes long is followed by a longer pause.
import { setTimeout as pause } from 'node:timers/promises';
import type { Response } from 'express';
import { isUnavailable, type Queryable } from '../../deploy/database.ts';
import type { Log } from '../../deploy/log.ts';
import { startEvents, writeEvent } from '../event-stream.ts';
import { openChangeReader } from './changes.ts';
import { type Overview, readOverview } from './overview.ts';

const pollEveryMs = 1_000;
// Polling may take a tenth of the time, so that it does not add to the load of a busy database.
const idleShare = 10;
// Proxies close what is silent for a minute, many of them earlier.
const keepAliveEveryMs = 15_000;
const overviewAtLeastEveryMs = 5_000;
// A page that does not read for that long is asleep; when it wakes it connects again.
const mostUnreadBytes = 1024 * 1024;

export type Stream = {
  /** Answers the request with the stream; it ends with the connection, with its session, or when this process stops. */
  open(response: Response, session: string): void;
  /** Ends the streams of a session that was signed out; other processes notice at their next poll. */
  end(session: string): void;
  /** The overview, at most a second or so old. */
  overview(): Promise<Overview>;
};

type StreamOptions = {
  readonly database: Queryable;
  readonly log: Log;
  readonly stopping: AbortSignal;
  /** Which of these sessions are valid. */
  readonly validOf: (sessions: readonly string[]) => Promise<Set<string>>;
};

export function openStream({ database, log, stopping, validOf }: StreamOptions): Stream {
  const pages = openPages();
  const overview = cachedOverview(database);
  const changes = openChangeReader(database);
  let isPolling = false;

  stopping.addEventListener('abort', () => pages.endWhere(() => true));

  async function poll(): Promise<void> {
    isPolling = true;
    let before = '';
    let overviewAt = performance.now();
    while (pages.count() > 0 && !stopping.aborted) {
      const startedAt = performance.now();
      try {
        // A page must not go on showing what its person may not see any more, whichever process took the sign-out.
        const valid = await validOf(pages.sessions());
        pages.endWhere((session) => !valid.has(session));
        const now = await overview(0);
        const { at: _, processes: __, ...state } = now;
        const shown = JSON.stringify(state);
        const ids = await changes.next();
        if (ids.length > 0) pages.send('changed', JSON.stringify({ ids }));
        if (shown !== before || performance.now() - overviewAt > overviewAtLeastEveryMs) {
          pages.send('overview', JSON.stringify(now));
          before = shown;
          overviewAt = performance.now();
        }
      } catch (error) {
        before = '';
        if (isUnavailable(error)) pages.send('database-away', '{}');
        else log.error({ err: error }, 'Dashboard overview could not be read');
      }
      const took = performance.now() - startedAt;
      await pause(Math.max(pollEveryMs, idleShare * took), undefined, { ref: false });
    }
    isPolling = false;
    changes.reset();
  }

  return {
    overview: () => overview(),
    end: (session) => pages.endWhere((each) => each === session),
    open(response, session) {
      startEvents(response, { cacheControl: 'no-store, no-transform' });
      response.write('retry: 2000\n\n');
      pages.add(response, session);
      if (stopping.aborted) response.end();
      // `poll` never rejects: whatever goes wrong inside is told to the pages.
      else if (!isPolling) void poll();
      // A page that comes later than the last change must not wait for the next.
      else
        void overview().then(
          (now) => writeEvent(response, 'overview', JSON.stringify(now)),
          () => {},
        );
    },
  };
}

type Pages = {
  add(response: Response, session: string): void;
  count(): number;
  sessions(): string[];
  send(event: string, json: string): void;
  endWhere(isOver: (session: string) => boolean): void;
};

/** The open pages, each with its session. */
function openPages(): Pages {
  const pages = new Map<Response, string>();
  return {
    add(response, session) {
      const keepingAlive = setInterval(() => response.write(': still here\n\n'), keepAliveEveryMs);
      keepingAlive.unref();
      pages.set(response, session);
      response.on('close', () => {
        clearInterval(keepingAlive);
        pages.delete(response);
      });
    },
    count: () => pages.size,
    sessions: () => [...new Set(pages.values())],
    send(event, json) {
      for (const page of pages.keys()) {
        if (page.writableLength > mostUnreadBytes) page.destroy();
        else writeEvent(page, event, json);
      }
    },
    endWhere(isOver) {
      for (const [page, session] of pages) {
        if (!isOver(session)) continue;
        pages.delete(page);
        page.end();
      }
    },
  };
}

/** The overview is read once for all who ask within that time. */
function cachedOverview(database: Queryable): (maxAgeMs?: number) => Promise<Overview> {
  let latest: { at: number; overview: Promise<Overview> } | undefined;
  return (maxAgeMs = pollEveryMs) => {
    if (!latest || performance.now() - latest.at > maxAgeMs) {
      latest = { at: performance.now(), overview: readOverview(database) };
      latest.overview.catch(() => {
        latest = undefined;
      });
    }
    return latest.overview;
  };
}
