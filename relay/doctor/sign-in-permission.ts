// Who may send an AUTH, and when. The lanes, the preflight of every relay and a person at the doctor share one budget
// for each credential, kept in the database: a provider that counts failures sees few of them.
import { setTimeout as pause } from 'node:timers/promises';
import type { Queryable } from '../../deploy/database.ts';
import type { ProviderReading } from '../../deploy/environment.ts';
import { laneKey } from '../lane-state/lanes.ts';
import { senderWasTaken } from '../lane-state/sender-holds.ts';
import { keepAuth, leaveAuth, takeAuth } from '../lane-state/sign-in.ts';
import { inWords, type StageFailure } from '../smtp/failure.ts';
import type { Permission, SenderTaken } from './examine.ts';

/** A credential that worked this recently is not tried again by the preflight. */
const provenForSeconds = 300;

/** A person may ask this soon after a refusal, and no sooner. */
const coolDownSeconds = 60;

/** Causes that the mail server gives for a credential; what the token endpoint says is asked there. */
const refusals = '^(auth-|oauth2-token-refused)';

/** How long somebody else's AUTH is waited for. */
const busyMs = 2_000;

type LaneRow = {
  isOpen: boolean;
  isProven: boolean;
  provenAt: Date | null;
  isRefused: boolean;
  refusal: string | null;
  isHot: boolean;
};

/**
 * Permits one AUTH, or tells what is known without one.
 *
 * `preflight`: not when the credential worked in the last five minutes, and never when a lane waits for it to be
 * mended: the lane's own slow probes do that. `person`: always, unless it was refused in the last minute.
 *
 * @param instance a UUID of who asks
 */
export async function askPermission(
  q: Queryable,
  provider: ProviderReading,
  { instance, asks }: { instance: string; asks: 'preflight' | 'person' },
): Promise<Permission> {
  const key = laneKey(provider);
  const deadline = performance.now() + busyMs;
  const lane = await readLane(q, key);
  // No relay has used this credential yet: there is nobody to share with.
  if (!lane) return { granted: true, used: async () => {} };
  const knownNow = (row: LaneRow) => knownWithoutAuth(row, asks, provider);
  const known = knownNow(lane);
  if (known) return known;

  for (;;) {
    const permission = await takeAuth(q, key, { instance, isProbe: asks === 'person' });
    if (permission === 'granted') break;
    if (permission === 'closed' || performance.now() > deadline) {
      return { granted: false, known: 'nothing', says: 'Another process is signing in with it right now.' };
    }
    await pause(100);
  }
  // Somebody may have signed in while we waited for our turn.
  const now = await readLane(q, key);
  const meanwhile = now && knownNow(now);
  if (meanwhile) {
    await leaveAuth(q, key, instance, false);
    return meanwhile;
  }
  const release = keepAuth(q, key, { instance, timeoutSeconds: provider.timeoutSeconds });
  return {
    granted: true,
    async used(worked, failure) {
      release();
      await record(q, key, worked, failure);
      await leaveAuth(q, key, instance, worked);
    },
  };
}

/** What an examination learns about the sender ends a hold on it. Without the database it is not written down. */
export function recordTakenSender(q: Queryable): SenderTaken {
  return async (provider, sender, taken) => {
    await senderWasTaken(q, laneKey(provider), { sender, taken }).catch(() => {});
  };
}

function knownWithoutAuth(
  lane: LaneRow,
  asks: 'preflight' | 'person',
  { oauth2 }: ProviderReading,
): Permission | undefined {
  const { isOpen, isProven, provenAt, isRefused, refusal, isHot } = lane;
  if (asks === 'preflight' && isProven) {
    return {
      granted: false,
      known: 'works',
      says: `It worked at ${provenAt?.toISOString()}; not tried again.`,
    };
  }
  if (isRefused && refusal !== null && (asks === 'preflight' || isHot)) {
    const again = asks === 'person' ? ` Not tried again within ${coolDownSeconds} s.` : '';
    return {
      granted: false,
      known: 'refused',
      says: `It was refused before: ${refusal}${again}`,
      failure: { stage: 'auth', symptom: { reply: refusal, ...(oauth2 && { command: 'AUTH XOAUTH2' }) } },
    };
  }
  if (asks === 'preflight' && !isOpen) {
    return { granted: false, known: 'nothing', says: 'Delivery is paused, and its own probe comes first.' };
  }
  return undefined;
}

async function readLane(q: Queryable, key: string): Promise<LaneRow | undefined> {
  const { rows } = await q.query<LaneRow>(
    `select lane.state = 'open' as "isOpen",
       coalesce(proven_at > now() - $2 * interval '1 second', false) as "isProven", proven_at as "provenAt",
       coalesce(not worked and at > coalesce(proven_at, '-infinity'), false)
         or (state = 'stopped' and cause ~ $4) as "isRefused",
       coalesce(case when state = 'stopped' and cause ~ $4 then detail end, reply) as refusal,
       greatest(at, case when state = 'stopped' then since end) > now() - $3 * interval '1 second' as "isHot"
     from lane left join sign_in on sign_in.lane = lane.key
     where lane.key = $1`,
    [key, provenForSeconds, coolDownSeconds, refusals],
  );
  return rows[0];
}

async function record(
  q: Queryable,
  key: string,
  worked: boolean,
  failure: StageFailure | undefined,
): Promise<void> {
  await q.query(
    `insert into sign_in (lane, worked, reply) values ($1, $2, $3)
     on conflict (lane) do update set at = now(), worked = excluded.worked, reply = excluded.reply`,
    [key, worked, worked ? null : failure ? inWords(failure) : 'no answer'],
  );
  // Whoever waits for what was mended, a password or a name, need not wait any longer.
  if (worked) {
    await q.query(
      `update lane set next_probe_at = now() where key = $1 and state in ('stopped', 'unreachable')`,
      [key],
    );
  }
}
