// Why mail that is queued does not move: every credential it could leave by is closed, as the relay last reported.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { readCauses } from '../../relay/client/status/causes.ts';
import { countWaiting } from '../../relay/client/status/clearance.ts';
import { emailStatus, type LaneReport, type RelayReport } from '../../relay/client/status/heartbeat.ts';
import type { Status } from '../../relay/client/vocabulary.ts';
import { instant } from '../fields.ts';

/** The lanes (a credential on a route) as the relay reported them. */
export const lanesOf = (report: RelayReport | undefined): readonly LaneReport[] => report?.lanes ?? [];

/** The first of the closed lanes, when none is open. */
export async function findClosedLane(database: Database): Promise<LaneReport | undefined> {
  const { report } = await emailStatus(database);
  const lanes = lanesOf(report);
  return lanes.length > 0 && lanes.every(({ state }) => state !== 'open') ? lanes[0] : undefined;
}

export const waitingForView = z
  .strictObject({
    cause: z.string(),
    title: z.string(),
    fix: z.string(),
    detail: z
      .string()
      .nullable()
      .meta({ description: 'The reply of the provider, or the error of the system.' }),
    until: instant.nullable().meta({
      description: 'When the limit allows more or the next attempt is due, if known.',
    }),
    clear_at: instant.nullable().meta({
      description:
        'When all waiting emails will be sent, with the limits SMTP_MAX_PER_HOUR and SMTP_MAX_PER_DAY. ' +
        'An estimate; null when neither is set.',
    }),
    docs: z.string().meta({ description: 'The page about this cause on this api.' }),
  })
  .meta({ id: 'WaitingFor' });

/**
 * What mail in this status waits for besides its turn; null when nothing is in its way. A stopped credential is no
 * fault of the mail, so the mail stays `queued`: whoever asks about it learns the cause here.
 */
export async function readWaitingFor(
  database: Database,
  status: Status,
): Promise<z.output<typeof waitingForView> | null> {
  if (status !== 'queued' && status !== 'deferred') return null;
  const { report } = await emailStatus(database);
  return findWaitingCause(database, report);
}

/** Why no mail is sent now, and until when; null while mail is sent. */
export async function findWaitingCause(
  database: Database,
  report: RelayReport | undefined,
): Promise<z.output<typeof waitingForView> | null> {
  const lanes = lanesOf(report);
  const [first] = lanes;
  if (!first || lanes.some(({ state, paced_until }) => state === 'open' && paced_until === null)) return null;
  const lane = lanes.find(({ state }) => state !== 'open') ?? first;
  const cause = lane.state === 'open' ? 'paced' : (lane.cause ?? lane.state);
  const words = (await readCauses(database, [cause]))[cause];
  const until = lane.state === 'open' ? lane.paced_until : lane.next_probe_at;
  return {
    cause,
    title: words?.title ?? `The credential ${lane.name} is ${lane.state}`,
    fix: words?.fix ?? 'See GET /api/v1/test-email/config, or run npm run doctor.',
    detail: lane.detail,
    until,
    clear_at: await clearAt(database, lane, until),
    docs: `/docs/causes#${cause}`,
  };
}

/** A stopped credential waits for a person: nobody can say when. */
async function clearAt(database: Database, lane: LaneReport, until: string | null): Promise<string | null> {
  const perHour = Math.min(
    lane.max_per_hour ?? Number.POSITIVE_INFINITY,
    (lane.max_per_day ?? Number.POSITIVE_INFINITY) / 24,
  );
  if (until === null || !Number.isFinite(perHour) || (lane.state !== 'open' && lane.state !== 'paused'))
    return null;
  const hours = (await countWaiting(database)) / perHour;
  const start = Math.max(new Date(until).getTime(), Date.now());
  return new Date(start + hours * 3_600_000).toISOString();
}
