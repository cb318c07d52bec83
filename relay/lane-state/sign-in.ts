// The one AUTH that may be under way for a credential, whoever asks: a lane, the preflight, or a person at the doctor.
import type { Queryable } from '../../deploy/database.ts';
import { every } from '../../deploy/repeat.ts';

/** As long as the lease of a mail. */
const authLeaseMs = 8_000;

/**
 * Asks for the one AUTH that may be under way. `closed` means that the lane was closed meanwhile: no AUTH then,
 * unless it is the probe's.
 */
export async function takeAuth(
  q: Queryable,
  key: string,
  { instance, isProbe }: { instance: string; isProbe: boolean },
): Promise<'granted' | 'busy' | 'closed'> {
  const { rows } = await q.query<{ granted: boolean; isClosed: boolean }>(
    `with asked as (
       update lane set auth_by = $2, auth_until = now() + $3 * interval '1 millisecond'
       where key = $1 and (state = 'open' or $4)
         and (auth_until is null or auth_until < now())
       returning key
     )
     select exists (select from asked) as granted, state <> 'open' and not $4 as "isClosed" from lane where key = $1`,
    [key, instance, authLeaseMs, isProbe],
  );
  const row = rows[0];
  return row?.granted ? 'granted' : row?.isClosed ? 'closed' : 'busy';
}

/**
 * Keeps the permission while the AUTH is under way, for as long as one may take and no longer; the returned function
 * ends that. The lease is short because a permission can be granted to nobody: to a relay that was killed, or one that
 * never got the answer. Without the database the lease runs out, but then nobody else can take it either.
 *
 * @param timeoutSeconds SMTP_TIMEOUT; an AUTH has twice that
 */
export function keepAuth(
  q: Queryable,
  key: string,
  { instance, timeoutSeconds }: { instance: string; timeoutSeconds: number },
): () => void {
  const until = performance.now() + timeoutSeconds * 2_000 + 5_000;
  const renew = async () => {
    if (performance.now() > until) return void renewing.stop();
    await q
      .query(
        `update lane set auth_until = now() + $3 * interval '1 millisecond' where key = $1 and auth_by = $2`,
        [key, instance, authLeaseMs],
      )
      .catch(() => {});
  };
  const renewing = every(authLeaseMs / 3, renew, { first: 'after a pause' });
  return () => void renewing.stop();
}

export async function leaveAuth(q: Queryable, key: string, instance: string, worked: boolean): Promise<void> {
  await q.query(
    `update lane set auth_by = null, auth_until = null, proven_at = case when $3 then now() else proven_at end
     where key = $1 and auth_by = $2`,
    [key, instance, worked],
  );
}
