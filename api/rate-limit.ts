// Rate limits that all replicas share. A counter in PostgreSQL that every request of a busy key updates would make
// those requests wait for each other, so a replica takes permits in blocks and counts them down by itself.
import type { Queryable } from '../deploy/database.ts';
import { Problem } from './problem.ts';

const windowSeconds = 60;

/** What a key may do in a minute when it has no limit of its own. */
export const defaultPerMinute = 60_000;

type Window = { endsAt: number; left: number; remaining: number };

export type RateLimit = (subject: string, perMinute: number) => Promise<Readonly<Record<string, string>>>;

/**
 * Makes the limiter. It returns the RateLimit headers (draft-ietf-httpapi-ratelimit-headers-10) for a
 * permitted request and throws `rate-limited` for one too many.
 */
export function rateLimiter(database: Queryable): RateLimit {
  const windows = new Map<string, Window>();
  const leases = new Map<string, Promise<Window>>();

  async function windowOf(subject: string, perMinute: number): Promise<Window> {
    const known = windows.get(subject);
    if (known && known.endsAt > performance.now() && (known.left > 0 || known.remaining === 0)) return known;
    // Everybody who comes while a block is being fetched waits for the same one.
    const running = leases.get(subject);
    if (running !== undefined) return running;
    const lease = leaseBlock(database, subject, perMinute)
      .then((window) => {
        if (windows.size > 10_000) forgetPast(windows);
        windows.set(subject, window);
        return window;
      })
      .finally(() => leases.delete(subject));
    leases.set(subject, lease);
    return lease;
  }

  return async (subject, perMinute) => {
    for (;;) {
      const window = await windowOf(subject, perMinute);
      const resetSeconds = Math.max(1, Math.ceil((window.endsAt - performance.now()) / 1000));
      const policy = `"default";q=${perMinute};w=${windowSeconds}`;
      if (window.left > 0) {
        window.left--;
        return {
          'ratelimit-policy': policy,
          ratelimit: `"default";r=${window.remaining + window.left};t=${resetSeconds}`,
        };
      }
      if (window.remaining > 0) continue;
      throw new Problem('rate-limited', `At most ${perMinute} requests a minute; try again later.`, {
        headers: {
          'retry-after': String(resetSeconds),
          'ratelimit-policy': policy,
          ratelimit: `"default";r=0;t=${resetSeconds}`,
        },
      });
    }
  };
}

/** A fiftieth of the limit at a time: up to that much of a minute's permits is lost to a replica that goes idle. */
async function leaseBlock(database: Queryable, subject: string, perMinute: number): Promise<Window> {
  const block = Math.max(1, Math.floor(perMinute / 50));
  const { rows } = await database.query<{ given: number; seconds: number }>({
    name: 'rate-lease',
    text: `
      with forgotten as (
        delete from rate_window where starts_at < now() - interval '10 minutes'
      )
      insert into rate_window as w (subject, starts_at, given)
      values ($1, date_bin('1 minute', now(), 'epoch'), $2)
      on conflict (subject, starts_at) do update set given = least(w.given + $2, 1000000000)
      returning given, extract(epoch from starts_at + interval '1 minute' - now())::float8 as seconds`,
    values: [subject, block],
  });
  const { given, seconds } = rows[0] ?? { given: block, seconds: windowSeconds };
  const before = given - block;
  const left = Math.min(block, Math.max(0, perMinute - before));
  return {
    endsAt: performance.now() + seconds * 1000,
    left,
    remaining: Math.max(0, perMinute - before - left),
  };
}

function forgetPast(windows: Map<string, Window>): void {
  const now = performance.now();
  for (const [subject, window] of windows) if (window.endsAt <= now) windows.delete(subject);
}
