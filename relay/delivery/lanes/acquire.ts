// A session for one mail: one that is open already, or a new one, signed in.
import { setTimeout as pause } from 'node:timers/promises';
import { readLanes } from '../../lane-state/lanes.ts';
import { keepAuth, leaveAuth, takeAuth } from '../../lane-state/sign-in.ts';
import type { SmtpFailure } from '../../smtp/failure.ts';
import { type Opened, openSession, type Session } from '../../smtp/session.ts';
import type { DeliveryContext } from '../context.ts';
import type { Route } from '../settings.ts';
import { close, closeUnlessItWorks, distrust } from './close.ts';
import { dial, type FailedAttempt } from './dial.ts';
import type { Lane } from './lane.ts';

/** A session to use, or none; and what was tried in vain on the way to it, for the timeline. */
export type Acquired = { readonly session?: Session; readonly failed: readonly FailedAttempt[] };

/** Never rejects: without the database no permission to sign in is given, nothing was sent, and the mail goes back. */
export async function acquireForMail(context: DeliveryContext, lane: Lane): Promise<Acquired> {
  try {
    return await acquire(context, lane, { isProbe: false });
  } catch (error) {
    context.log.warn(
      { err: error, event: 'acquire-failed', lane: lane.provider.name },
      'No session could be opened',
    );
    return { failed: [] };
  }
}

export async function acquire(
  context: DeliveryContext,
  lane: Lane,
  { isProbe }: { isProbe: boolean },
): Promise<Acquired> {
  const { timeouts, stopping } = context;
  const idle = lane.takeIdle();
  if (idle) return { session: idle, failed: [] };

  const judge = (failure: SmtpFailure) => context.judge(lane.provider, failure);
  const { session, failed } = await dial({
    routes: lane.view.routesToTry(),
    open: (route, signal) => openRoute(context, lane, route, signal),
    judge,
    nextRouteMs: timeouts.nextRouteMs,
    signal: stopping,
  });
  if (stopping.aborted) {
    session?.destroy();
    return { failed };
  }
  if (!session) {
    await closeUnlessItWorks(context, lane, failed, isProbe);
    return { failed };
  }
  let refusal: SmtpFailure | 'closed' | undefined;
  try {
    for (const { route, judgement } of failed) await distrust(context, lane, route, judgement.cause);
    refusal = await signIn(context, lane, session, isProbe);
  } catch (error) {
    session.destroy();
    throw error;
  }
  if (refusal === 'closed') {
    session.close();
    await learnThatItIsClosed(context, lane);
    return { failed };
  }
  if (refusal) {
    session.destroy();
    const attempt = { route: session.route, failure: refusal, judgement: judge(refusal) };
    await closeUnlessItWorks(context, lane, [attempt], isProbe);
    return { failed: [...failed, attempt] };
  }
  lane.add(session);
  return { session, failed };
}

/** Up to EHLO: no AUTH. */
export function openRoute(
  { timeouts }: DeliveryContext,
  { provider, authorities }: Lane,
  route: Route,
  signal: AbortSignal,
): Promise<Opened> {
  return openSession({ route, authorities, timeoutMs: provider.timeoutSeconds * 1_000, timeouts, signal });
}

/** One AUTH at a time, whoever asks: with a wrong password every further one brings a lock-out closer. */
async function signIn(
  context: DeliveryContext,
  lane: Lane,
  session: Session,
  isProbe: boolean,
): Promise<SmtpFailure | 'closed' | undefined> {
  const { database, instance, stopping } = context;
  const { key, provider } = lane;
  const { user, password, timeoutSeconds } = provider;
  if (user === undefined || password === undefined) return undefined;
  for (;;) {
    const permission = await takeAuth(database, key, { instance, isProbe });
    if (permission === 'granted') break;
    if (permission === 'closed' || stopping.aborted || !session.isOpen) return 'closed';
    await pause(20);
  }
  const release = keepAuth(database, key, { instance, timeoutSeconds });
  const failure = await session.signIn({ user, password }).finally(release);
  // Closed before the permission is given back, so that nobody slips in between.
  if (failure && !isProbe)
    await close(context, lane, { judgement: context.judge(provider, failure), failure });
  await leaveAuth(database, key, instance, failure === undefined);
  return failure;
}

/** Another relay closed the lane: known at once, or the next mail would ask in vain as well. */
async function learnThatItIsClosed({ database }: DeliveryContext, lane: Lane): Promise<void> {
  const { epoch } = lane.view;
  const [current] = await readLanes(database, [lane.key]);
  if (current) lane.absorb(current, epoch);
}
