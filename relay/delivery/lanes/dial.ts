// Which route a session is opened on: one after the other, and beside each other when the first keeps silent.

import type { SmtpFailure } from '../../smtp/failure.ts';
import type { Opened, Session } from '../../smtp/session.ts';
import type { Judgement } from '../../verdict/failure.ts';
import type { Route } from '../settings.ts';

/** One try at one route that came to nothing. */
export type FailedAttempt = {
  readonly route: Route;
  readonly failure: SmtpFailure;
  readonly judgement: Judgement;
};

export type Dialled = { readonly session?: Session; readonly failed: readonly FailedAttempt[] };

type Dialling = {
  readonly routes: readonly Route[];
  open(route: Route, signal: AbortSignal): Promise<Opened>;
  judge(failure: SmtpFailure): Judgement;
  /** Silence after which the next route is opened in parallel, in milliseconds. */
  readonly nextRouteMs: number;
  readonly signal: AbortSignal;
};

/**
 * Opens the first route that gets as far as AUTH. The next one is tried at once when the one before failed in a
 * way that another route may be spared (`failover`), and beside it after `nextRouteMs` of silence. Losers are cut
 * off before AUTH, so the provider sees one login.
 *
 * A failure with any other verdict, such as a wrong certificate, ends the search: trying other doors would not help,
 * or would give the password to somebody else.
 */
export async function dial({ routes, open, judge, nextRouteMs, signal }: Dialling): Promise<Dialled> {
  const failed: FailedAttempt[] = [];
  const won = new AbortController();
  const result = Promise.withResolvers<Session | undefined>();
  const pending: Promise<void>[] = [];
  let launched = 0;
  let unsettled = 0;
  let winner: { session: Session; rank: number } | undefined;
  let hopeless = false;
  let timer: NodeJS.Timeout | undefined;

  const launchNext = () => {
    clearTimeout(timer);
    const rank = launched;
    const route = routes[rank];
    if (!route || hopeless || winner || signal.aborted) return;
    launched++;
    unsettled++;
    pending.push(attempt(route, rank));
    timer = setTimeout(launchNext, nextRouteMs);
  };

  const attempt = async (route: Route, rank: number) => {
    const opened = await open(route, AbortSignal.any([signal, won.signal]));
    unsettled--;
    if ('session' in opened) {
      if (winner) return opened.session.destroy();
      winner = { session: opened.session, rank };
      result.resolve(opened.session);
      won.abort(silentRoute());
      return;
    }
    // A route that was overtaken by a later one has failed; one that was never needed has not.
    if (winner && winner.rank < rank) return;
    const judgement = judge(opened.failure);
    failed.push({ route, failure: opened.failure, judgement });
    if (judgement.verdict !== 'failover') hopeless = true;
    launchNext();
    if (unsettled === 0) result.resolve(undefined);
  };

  launchNext();
  if (launched === 0) result.resolve(undefined);
  const session = await result.promise;
  clearTimeout(timer);
  await Promise.all(pending);
  return session ? { session, failed } : { failed };
}

function silentRoute(): Error {
  return Object.assign(new Error('Connection timeout'), { code: 'ETIMEDOUT', syscall: 'connect' });
}
