// Routes that take mail and never send the final reply: each such mail may arrive twice, so the route is stopped.
import { countSilence, distrustRoute } from '../../lane-state/routes.ts';
import type { DeliveryContext } from '../context.ts';
import type { Route } from '../settings.ts';
import type { Lane } from './lane.ts';

/** Mails in a row without a final reply after which a route is not used any more. */
const silencesThatStop = 3;

/** A final reply came, or did not. @param stopped called when the route is not used any more */
export async function countFinalReply(
  { database, timeouts, alert, tryTo }: DeliveryContext,
  lane: Lane,
  route: Route,
  { wasSilent, stopped }: { wasSilent: boolean; stopped: () => Promise<void> },
): Promise<void> {
  const known = lane.view.reading.routes.find(({ name }) => name === route.name)?.silences ?? 0;
  if (!wasSilent && known === 0) return;
  await tryTo('counting final replies', async () => {
    const inARow = await countSilence(database, lane.key, route.name, wasSilent);
    if (inARow < silencesThatStop) return;
    const cause = 'final-replies-lost';
    const holdDownMs = 3 * timeouts.holdDownMs;
    const isNews = await distrustRoute(database, lane.key, route.name, {
      state: 'stopped',
      cause,
      holdDownMs,
    });
    if (!isNews) return;
    const detail = `${route.name}: ${inARow} emails in a row got no final reply`;
    alert({ kind: 'route-stopped', lane: lane.provider.name, cause, stage: 'dot', detail });
    await stopped();
  });
}
