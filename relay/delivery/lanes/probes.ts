// Probes of what is closed: a lane by signing in, a route by EHLO. One relay makes each.
import { openLane, takeProbe } from '../../lane-state/lanes.ts';
import { recordRouteProbe, takeRouteProbes } from '../../lane-state/routes.ts';
import type { DeliveryContext } from '../context.ts';
import { acquire, openRoute } from './acquire.ts';
import type { Lane } from './lane.ts';

/** Probes what is due, if this relay gets to do it. @param opened called when mail can leave again */
export async function probe(context: DeliveryContext, lane: Lane, opened: () => void): Promise<void> {
  const { reading } = lane.view;
  if (!lane.isOpen && reading.isProbeDue) await probeLane(context, lane, opened);
  if (lane.view.reading.routes.some(({ isProbeDue }) => isProbeDue)) await probeRoutes(context, lane);
}

async function probeLane(context: DeliveryContext, lane: Lane, opened: () => void): Promise<void> {
  const { database, log, alert } = context;
  const { name } = lane.provider;
  const state = await takeProbe(database, lane.key, probeLeaseMs(context, lane));
  if (state === undefined) return;
  const acquired = state === 'paused' ? undefined : await acquire(context, lane, { isProbe: true });
  if (acquired && !acquired.session) return;
  const { cause } = lane.view.reading;
  const isNews = await openLane(database, lane.key);
  lane.reopen();
  if (acquired?.session) lane.giveBack(acquired.session);
  if (isNews) {
    log.info({ event: 'lane-open', lane: name, was: state }, `Lane ${name} is open again`);
    alert({
      kind: 'lane-open',
      lane: name,
      cause: cause ?? state,
      stage: 'accepted',
      detail: 'It works again.',
    });
  }
  opened();
}

/** EHLO and no more: a route is judged without spending a login. */
async function probeRoutes(context: DeliveryContext, lane: Lane): Promise<void> {
  const { database, log, stopping } = context;
  const names = await takeRouteProbes(database, lane.key, probeLeaseMs(context, lane));
  for (const route of lane.provider.routes.filter(({ name }) => names.includes(name))) {
    const opened = await openRoute(context, lane, route, stopping);
    if (stopping.aborted) return;
    if ('session' in opened) opened.session.close();
    if (await recordRouteProbe(database, lane.key, route.name, 'session' in opened)) {
      log.info(
        { event: 'route-good', lane: lane.provider.name, route: route.name },
        `Route ${route.name} works again`,
      );
    }
  }
}

/** As long as a probe can take; then another relay may try. */
const probeLeaseMs = ({ timeouts }: DeliveryContext, { provider }: Lane) =>
  2 * timeouts.leaseMs + provider.timeoutSeconds * 2_000;
