// Makes hours pass in seconds, where Postern itself only ever waits: the fifteen minutes before mail without a final
// reply is sent again, and the waits before a lane, a route or a sender is tried again.
import { setTimeout as pause } from 'node:timers/promises';
import type { OwnPostgres } from '../kit/database.ts';

type Clocked = Pick<OwnPostgres, 'query'>;

// Longer than the longest freeze and the slowest provider together, as the fifteen minutes are in real life: only
// then nobody who carried the mail can still be at it.
const inDoubtSeconds = 35;

export async function keepTimeGoing(
  database: Clocked,
  { signal, inDoubt = inDoubtSeconds }: { signal: AbortSignal; inDoubt?: number },
): Promise<void> {
  while (!signal.aborted) {
    // PostgreSQL may be away; time goes on when it is back.
    await letTimePass(database, inDoubt).catch(() => {});
    await pause(1_000, undefined, { signal }).catch(() => {});
  }
}

async function letTimePass({ query }: Clocked, inDoubt: number): Promise<void> {
  await query(
    `update recipient set next_attempt_at = now()
     where status = 'uncertain' and next_attempt_at > now() and marked_at < now() - make_interval(secs => $1)`,
    [inDoubt],
  );
  await query(`update lane set next_probe_at = now() where next_probe_at > now() + interval '1 second'`);
  await query(`update route set next_probe_at = now() where next_probe_at > now() + interval '1 second'`);
  await query(
    `update sender_hold set next_probe_at = now() where next_probe_at > now() + interval '1 second'`,
  );
}
