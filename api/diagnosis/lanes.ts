// Why mail that is queued does not move: every credential it could leave by is closed, as the relay last reported.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { readCauses } from '../../relay/client/causes.ts';
import { emailStatus, type LaneReport, type RelayReport } from '../../relay/client/heartbeat.ts';
import type { Status } from '../../relay/client/vocabulary.ts';

/** The ways out as the relay reported them. */
export const lanesOf = (report: RelayReport | undefined): readonly LaneReport[] => report?.lanes ?? [];

/** The first of the closed ways out, when none is open. */
export async function findShutLane(database: Database): Promise<LaneReport | undefined> {
  const { report } = await emailStatus(database);
  const lanes = lanesOf(report);
  return lanes.length > 0 && lanes.every(({ state }) => state !== 'open') ? lanes[0] : undefined;
}

export const waitingForView = z
  .strictObject({
    cause: z.string(),
    title: z.string(),
    fix: z.string(),
    detail: z.string().nullable().meta({ description: "The provider's or the system's own words." }),
  })
  .meta({ id: 'WaitingFor' });

/**
 * What mail in this status waits for besides its turn; null when nothing is in its way. A stopped credential is no
 * fault of the mail, so the mail stays `queued`: whoever asks about it learns the cause here.
 */
export async function waitingFor(
  database: Database,
  status: Status,
): Promise<z.output<typeof waitingForView> | null> {
  if (status !== 'queued' && status !== 'deferred') return null;
  const shut = await findShutLane(database);
  if (!shut) return null;
  const cause = shut.cause ?? shut.state;
  const words = (await readCauses(database, [cause]))[cause];
  return {
    cause,
    title: words?.title ?? `The credential ${shut.name} is ${shut.state}`,
    fix: words?.fix ?? 'Look at GET /api/v1/test-email/config, or run npm run doctor.',
    detail: shut.detail,
  };
}
