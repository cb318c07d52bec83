// Closing a lane, and not trusting a route: what one relay finds out all relays know, and one of them alerts.
import { closeLane } from '../../lane-state/lanes.ts';
import { distrustRoute } from '../../lane-state/routes.ts';
import { inWords, type SmtpFailure } from '../../smtp/failure.ts';
import type { Judgement } from '../../verdict/failure.ts';
import type { DeliveryContext } from '../context.ts';
import type { Route } from '../settings.ts';
import type { FailedAttempt } from './dial.ts';
import type { Lane } from './lane.ts';

/** @param isProbe whether it was a probe that failed: the wait until the next one doubles */
export async function close(
  { database, timeouts, alert }: DeliveryContext,
  lane: Lane,
  { judgement, failure, isProbe = false }: { judgement: Judgement; failure: SmtpFailure; isProbe?: boolean },
): Promise<void> {
  const { verdict, cause, retryAfterSeconds } = judgement;
  const state = verdict === 'stop' ? 'stopped' : verdict === 'pause' ? 'paused' : 'unreachable';
  // An AUTH is spent on every probe: a refusal is asked again slowly, a lost connection a little sooner.
  const isSlow = state === 'stopped' || failure.symptom.responseCode !== undefined;
  const probeMs = isSlow ? timeouts.stoppedProbeMs : timeouts.unreachableProbeMs;
  const detail = inWords(failure);
  const isNews = await closeLane(database, lane.key, {
    state,
    cause,
    detail,
    probeMs,
    isProbe,
    untilSeconds: state === 'paused' ? (retryAfterSeconds ?? probeMs[0] / 1_000) : undefined,
  });
  lane.view.learn({ state, cause, detail, isProbeDue: false });
  lane.closeIdle();
  if (isNews) alert({ kind: `lane-${state}`, lane: lane.provider.name, cause, stage: failure.stage, detail });
}

/** No session was to be had: the lane's fault, unless other sessions show that it works. */
export async function closeUnlessItWorks(
  context: DeliveryContext,
  lane: Lane,
  failed: readonly FailedAttempt[],
  isProbe: boolean,
): Promise<void> {
  const failedMost = tellingFailure(failed);
  if (!failedMost) return;
  const { judgement, failure } = failedMost;
  if (lane.connections > 0 && judgement.verdict !== 'stop' && !isProbe) return lane.refusedMore();
  await close(context, lane, { judgement, failure, isProbe });
}

/**
 * Which of several failures is blamed: what is not for another route to mend tells more than one more closed port; of
 * those, the preferred route's. Pure.
 */
function tellingFailure(failed: readonly FailedAttempt[]): FailedAttempt | undefined {
  return failed.find(({ judgement }) => judgement.verdict !== 'failover') ?? failed[0];
}

/** A route came to nothing while another one worked. */
export async function distrust(
  { database, log, timeouts }: DeliveryContext,
  lane: Lane,
  route: Route,
  cause: string,
): Promise<void> {
  const { holdDownMs } = timeouts;
  const isNews = await distrustRoute(database, lane.key, route.name, { state: 'bad', cause, holdDownMs });
  lane.view.learnBadRoute(route.name, cause);
  if (!isNews) return;
  log.warn(
    { event: 'route-bad', lane: lane.provider.name, route: route.name, cause },
    `Route ${route.name} does not work; using the next one`,
  );
}
