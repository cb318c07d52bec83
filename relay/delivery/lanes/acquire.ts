// A session for one mail: one that is open already, or a new one, signed in.
import { setTimeout as pause } from 'node:timers/promises';
import { readLanes } from '../../lane-state/lanes.ts';
import { keepAuth, leaveAuth, takeAuth } from '../../lane-state/sign-in.ts';
import type { SmtpFailure } from '../../smtp/failure.ts';
import { type Credential, type Opened, openSession, type Session } from '../../smtp/session.ts';
import { type OAuth2Provider, usesTokens } from '../../tokens/tokens.ts';
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
  const idle = lane.takeIdle();
  if (idle) return { session: idle, failed: [] };
  const { provider } = lane;
  if (usesTokens(provider)) return acquireWithToken(context, lane, provider, isProbe);
  const { user, password } = provider;
  const credential = user !== undefined && password !== undefined ? { user, password } : undefined;
  return openSignedIn(context, lane, { credential, isProbe });
}

/**
 * With an access token instead of a password. One that was refused although it had been kept may have ended early, or
 * lack a right that was given meanwhile: it is renewed once, on one new connection. A new one that is refused is not.
 */
async function acquireWithToken(
  context: DeliveryContext,
  lane: Lane,
  provider: OAuth2Provider,
  isProbe: boolean,
): Promise<Acquired> {
  const { tokens } = context;
  const failed: FailedAttempt[] = [];
  let instead: string | undefined;
  for (;;) {
    const found = await tokens.tokenFor(provider, { instead });
    if ('failure' in found) {
      const attempts = withoutToken(context, lane, found.failure);
      await closeUnlessItWorks(context, lane, attempts, isProbe);
      return { failed: [...failed, ...attempts] };
    }
    const { token, endsAt, isNew } = found;
    const isLast = isNew || instead !== undefined;
    const credential = { user: provider.user ?? '', token, endsAt };
    const opened = await openSignedIn(context, lane, { credential, isProbe, mayRenew: !isLast });
    failed.push(...opened.failed);
    if (opened.session || !opened.isRefused) return { ...opened, failed };
    if (isLast) {
      await tokens.spoil(provider, token);
      return { failed };
    }
    instead = token;
  }
}

/** In the timeline it stands at the route that would have been taken. */
function withoutToken(context: DeliveryContext, lane: Lane, failure: SmtpFailure): FailedAttempt[] {
  const [route] = lane.view.routesToTry();
  return route ? [{ route, failure, judgement: context.judge(lane.provider, failure) }] : [];
}

type SignedIn = Acquired & {
  /** The mail server said no to the credential. */
  readonly isRefused?: boolean;
};

async function openSignedIn(
  context: DeliveryContext,
  lane: Lane,
  { credential, isProbe, mayRenew = false }: SigningIn,
): Promise<SignedIn> {
  const { timeouts, stopping } = context;
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
    refusal = await signIn(context, lane, session, { credential, isProbe, mayRenew });
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
    const isRefused = isRefusal(refusal);
    if (!(mayRenew && isRefused)) await closeUnlessItWorks(context, lane, [attempt], isProbe);
    return { failed: [...failed, attempt], isRefused };
  }
  lane.add(session);
  return { session, failed };
}

/** Microsoft answers 535 to every token it does not like, HVE 501 to one that ends soon. Others say 535 as well. */
const isRefusal = ({ symptom: { responseCode } }: SmtpFailure) =>
  responseCode === 535 || responseCode === 501;

/** Up to EHLO: no AUTH. */
export function openRoute(
  { timeouts }: DeliveryContext,
  { provider, authorities }: Lane,
  route: Route,
  signal: AbortSignal,
): Promise<Opened> {
  return openSession({ route, authorities, timeoutMs: provider.timeoutSeconds * 1_000, timeouts, signal });
}

type SigningIn = {
  /** None where the provider needs none. */
  readonly credential: Credential | undefined;
  readonly isProbe: boolean;
  /** A refusal is not the last word about the credential: the lane stays as it is. */
  readonly mayRenew?: boolean;
};

/** One AUTH at a time, whoever asks: with a wrong password every further one brings a lock-out closer. */
async function signIn(
  context: DeliveryContext,
  lane: Lane,
  session: Session,
  { credential, isProbe, mayRenew }: SigningIn,
): Promise<SmtpFailure | 'closed' | undefined> {
  const { database, instance, stopping } = context;
  const { key, provider } = lane;
  if (!credential) return undefined;
  for (;;) {
    const permission = await takeAuth(database, key, { instance, isProbe });
    if (permission === 'granted') break;
    if (permission === 'closed' || stopping.aborted || !session.isOpen) return 'closed';
    await pause(20);
  }
  const release = keepAuth(database, key, { instance, timeoutSeconds: provider.timeoutSeconds });
  const failure = await session.signIn(credential).finally(release);
  // Closed before the permission is given back, so that nobody slips in between.
  if (failure && !isProbe && !(mayRenew && isRefusal(failure)))
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
