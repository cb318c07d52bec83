// One lane as this process sees it: its sessions, how many of them it may have, and what to do when one cannot be had.
import { setTimeout as pause } from 'node:timers/promises';
import type { Queryable } from '../../../deploy/database.ts';
import type { Log } from '../../../deploy/log.ts';
import type { Alert } from '../../alerts/alerts.ts';
import {
  closeLane,
  distrustRoute,
  keepAuth,
  type LaneReading,
  leaveAuth,
  readLanes,
  recordRouteProbe,
  openLane as reopen,
  takeAuth,
  takeProbe,
  takeRouteProbes,
} from '../../lane-state/lane-state.ts';
import { isAllowedSender } from '../../policy/senders.ts';
import { openSession, type Session, type Trouble } from '../../smtp/session.ts';
import type { Judgement } from '../../verdict/failure.ts';
import { mailsPerSession, type Provider, type Route, type Tempo } from '../settings.ts';
import { dial, type FailedAttempt } from './dial.ts';

/** A session to use, or none; and what was tried in vain on the way to it, for the timeline. */
export type Acquired = { readonly session?: Session; readonly failed: readonly FailedAttempt[] };

export type Lane = {
  readonly key: string;
  readonly provider: Provider;
  readonly reading: LaneReading;
  readonly isOpen: boolean;
  /** Mails that may be started now. */
  readonly capacity: number;
  readonly active: number;
  /** Connections this process may have; 0 until the first share is known. */
  slots: number;
  /** The least urgent priority that may leave now; -1 while the limits are used up. */
  readonly lowestPriority: number;
  /** The limits are used up for mail of this priority and less urgent, for that long. */
  pace(priority: number, seconds: number): void;
  /** Until when the limits hold mail back. */
  readonly pacedUntil: Date | null;
  /** Sessions that exist, used or idle. */
  readonly connections: number;
  /** Changes with everything this process learns about the lane by itself. */
  readonly epoch: number;
  /** Takes what the database says; `readAt` is the epoch from before it was asked. */
  absorb(reading: LaneReading, readAt: number): void;
  permits(sender: string): boolean;
  /** Counts a mail as started; `finish` ends it. */
  start(): void;
  finish(): void;
  acquire(signal: AbortSignal): Promise<Acquired>;
  /** Takes a session back after use: kept for the next mail if it is still good. */
  giveBack(session: Session): void;
  /** When this process last handed a mail over here; null when it has not. */
  readonly lastTakenAt: Date | null;
  /** A mail went out: one more connection may be tried. */
  grow(): void;
  /** A mail that takes its time must not keep the others waiting: one more connection after a while. */
  ease(): void;
  close(judgement: Judgement, trouble: Trouble, isProbe?: boolean): Promise<void>;
  /** A sender is held from now on, before the next reading says so. */
  learnHold(hold: { sender: string; cause: string; detail: string; stage: string }): void;
  forgetHold(sender: string): void;
  /** Probes what is due, if this relay gets to do it. */
  probe(signal: AbortSignal): Promise<void>;
  /** Ends sessions nobody has used for a while, or all of them. */
  trim(all?: boolean): void;
};

type Surroundings = {
  readonly database: Queryable;
  readonly log: Log;
  readonly instance: string;
  readonly tempo: Tempo;
  readonly authorities: readonly string[];
  judge(provider: Provider, trouble: Trouble): Judgement;
  alert(alert: Alert): void;
  /** Something may be possible now that was not before. */
  wake(): void;
};

/** After a provider refused one connection more, this long no more are tried. */
const crowdedMs = 5 * 60_000;

/** How long a used-up limit is taken for granted. */
const longestPaceMs = 10_000;

/** Mail that people wait for (`priorities.immediate`). */
const mostUrgent = 0;

/** How long the slow start waits for a mail before it tries the next one beside it. */
const easeMs = 1_000;

/** What tells one credential from another; the password itself stays where it is. */
export function laneKey({ name, host, user, fingerprint }: Provider): string {
  return [name, host, user ?? '', fingerprint ?? ''].join(' ').trimEnd();
}

export function createLane(provider: Provider, surroundings: Surroundings): Lane {
  const { database, log, instance, tempo, authorities, alert, wake } = surroundings;
  const key = laneKey(provider);
  const judge = (trouble: Trouble) => surroundings.judge(provider, trouble);
  let reading: LaneReading = {
    key,
    state: 'open',
    cause: null,
    detail: null,
    since: new Date(),
    nextProbeAt: null,
    provenAt: null,
    routes: [],
    heldSenders: [],
    isProbeDue: false,
  };
  const idle: { session: Session; since: number }[] = [];
  const inUse = new Set<Session>();
  let active = 0;
  let slots = 0;
  // Slow start: a lane that has just come (back) to life gets one connection, and one more for every mail it takes.
  let grown = 1;
  let grownAt = performance.now();
  let crowdedUntil = 0;
  let crowdedAt = Number.POSITIVE_INFINITY;

  let pacedAllUntil = 0;
  let pacedBulkUntil = 0;
  let clearAt: Date | null = null;
  let lastTakenAt: Date | null = null;
  let epoch = 0;
  const change = (learned: Partial<LaneReading>) => {
    epoch++;
    reading = { ...reading, ...learned };
  };

  const ceiling = () =>
    Math.min(slots, grown, performance.now() < crowdedUntil ? crowdedAt : Number.POSITIVE_INFINITY);

  const stateOf = (route: Route) => reading.routes.find(({ name }) => name === route.name)?.state ?? 'good';

  /** Those that can be trusted; when none can, those that merely failed; at last all. */
  const routesToTry = (): readonly Route[] => {
    const good = provider.routes.filter((route) => stateOf(route) === 'good');
    if (good.length > 0) return good;
    const bad = provider.routes.filter((route) => stateOf(route) === 'bad');
    return bad.length > 0 ? bad : provider.routes;
  };

  const open = (route: Route, signal: AbortSignal) =>
    openSession({ route, authorities, timeoutMs: provider.timeoutSeconds * 1_000, tempo, signal });

  const lane: Lane = {
    key,
    provider,
    get reading() {
      return reading;
    },
    get isOpen() {
      return reading.state === 'open';
    },
    get capacity() {
      return reading.state === 'open' ? Math.max(0, ceiling() - active) : 0;
    },
    get active() {
      return active;
    },
    get slots() {
      return slots;
    },
    set slots(given) {
      slots = given;
    },
    get lowestPriority() {
      if (performance.now() < pacedAllUntil) return -1;
      return performance.now() < pacedBulkUntil ? mostUrgent : 9;
    },
    pace(priority, seconds) {
      // Another relay may give something back, and a limit may be raised: look again before long.
      const until = performance.now() + Math.min(seconds * 1_000, longestPaceMs);
      if (priority <= mostUrgent) pacedAllUntil = until;
      pacedBulkUntil = Math.max(pacedBulkUntil, until);
      clearAt = new Date(Date.now() + seconds * 1_000);
    },
    get pacedUntil() {
      return lane.lowestPriority < 9 ? clearAt : null;
    },
    get connections() {
      return inUse.size + idle.length;
    },

    get epoch() {
      return epoch;
    },

    absorb(next, readAt) {
      // Read before we learned better: what we know is newer, and in the database by the next reading.
      if (readAt !== epoch) return;
      if (next.state === 'open' && reading.state !== 'open') grown = 1;
      reading = next;
      if (!lane.isOpen) lane.trim(true);
    },

    permits(sender) {
      return sender === '' || isAllowedSender(sender, provider.allowedSenders);
    },

    start() {
      active++;
    },
    finish() {
      active--;
    },
    get lastTakenAt() {
      return lastTakenAt;
    },
    grow() {
      lastTakenAt = new Date();
      if (grown < provider.maxConnections) grown++;
      grownAt = performance.now();
    },
    ease() {
      if (active < grown || performance.now() - grownAt <= easeMs || grown >= provider.maxConnections) return;
      grown++;
      grownAt = performance.now();
    },

    async acquire(signal) {
      try {
        return await acquire(signal, false);
      } catch (error) {
        // The database could not be asked for permission: nothing was sent, and the mail goes back.
        log.warn({ err: error, event: 'acquire-failed', lane: provider.name }, 'No session could be opened');
        return { failed: [] };
      }
    },

    giveBack(session) {
      inUse.delete(session);
      if (!session.isOpen) return;
      const preferred = routesToTry()[0];
      const isWanted =
        lane.isOpen && session.carried < mailsPerSession && session.route.name === preferred?.name;
      if (isWanted) idle.push({ session, since: performance.now() });
      else session.close();
    },

    async close(judgement, trouble, isProbe = false) {
      const state =
        judgement.verdict === 'stop' ? 'stopped' : judgement.verdict === 'pause' ? 'paused' : 'unreachable';
      // An AUTH is spent on every probe: a refusal is asked again slowly, a lost connection a little sooner.
      const slowly = state === 'stopped' || trouble.symptom.responseCode !== undefined;
      await shut(
        state,
        judgement,
        trouble,
        slowly ? tempo.stoppedProbeMs : tempo.unreachableProbeMs,
        isProbe,
      );
    },

    learnHold(hold) {
      const others = reading.heldSenders.filter(({ sender }) => sender !== hold.sender);
      const since = new Date().toISOString();
      change({ heldSenders: [...others, { ...hold, since, nextProbeAt: null, isProbeDue: false }] });
    },

    forgetHold(freed) {
      change({ heldSenders: reading.heldSenders.filter(({ sender }) => sender !== freed) });
    },

    async probe(signal) {
      if (!lane.isOpen && reading.isProbeDue) await probeLane(signal);
      if (reading.routes.some(({ isProbeDue }) => isProbeDue)) await probeRoutes(signal);
    },

    trim(all = false) {
      const limit = all ? Number.POSITIVE_INFINITY : performance.now() - tempo.idleMs;
      while (idle[0] && (idle[0].since < limit || idle.length + inUse.size > Math.max(slots, 1))) {
        idle.shift()?.session.close();
      }
    },
  };
  return lane;

  async function acquire(signal: AbortSignal, isProbe: boolean): Promise<Acquired> {
    for (let last = idle.pop(); last; last = idle.pop()) {
      if (!last.session.isOpen) continue;
      inUse.add(last.session);
      return { session: last.session, failed: [] };
    }

    const { session, failed } = await dial({
      routes: routesToTry(),
      open,
      judge,
      nextRouteMs: tempo.nextRouteMs,
      signal,
    });
    if (signal.aborted) {
      session?.destroy();
      return { failed };
    }
    if (!session) {
      await giveUp(failed, isProbe);
      return { failed };
    }
    let refusal: Trouble | 'closed' | undefined;
    try {
      for (const { route, judgement } of failed) await distrust(route, judgement.cause);
      refusal = await signIn(session, signal, isProbe);
    } catch (error) {
      session.destroy();
      throw error;
    }
    if (refusal === 'closed') {
      session.close();
      // Another relay closed the lane: know it at once, or the next mail would knock in vain as well.
      const epochThen = epoch;
      const [current] = await readLanes(database, [key]);
      if (current) lane.absorb(current, epochThen);
      return { failed };
    }
    if (refusal) {
      session.destroy();
      const attempt = { route: session.route, trouble: refusal, judgement: judge(refusal) };
      await giveUp([attempt], isProbe);
      return { failed: [...failed, attempt] };
    }
    inUse.add(session);
    return { session, failed };
  }

  /** One AUTH at a time, whoever asks: with a wrong password every further one brings a lock-out closer. */
  async function signIn(
    session: Session,
    signal: AbortSignal,
    isProbe: boolean,
  ): Promise<Trouble | 'closed' | undefined> {
    const { user, password } = provider;
    if (user === undefined || password === undefined) return undefined;
    for (;;) {
      const permission = await takeAuth(database, key, { instance, isProbe });
      if (permission === 'granted') break;
      if (permission === 'closed' || signal.aborted || !session.isOpen) return 'closed';
      await pause(20);
    }
    const { timeoutSeconds } = provider;
    const release = keepAuth(database, key, { instance, timeoutSeconds });
    const trouble = await session.signIn(user, password).finally(release);
    if (trouble) {
      // Closed before the permission is given back, so that nobody slips in between.
      const judgement = judge(trouble);
      if (!isProbe) await lane.close(judgement, trouble);
    }
    await leaveAuth(database, key, instance, trouble === undefined);
    return trouble;
  }

  /** No session was to be had: the lane's fault, unless other sessions show that it works. */
  async function giveUp(failed: readonly FailedAttempt[], isProbe: boolean): Promise<void> {
    // What is not for another route to heal tells more than one more closed port; of those the preferred one's.
    const telling = failed.find(({ judgement }) => judgement.verdict !== 'failover') ?? failed[0];
    if (!telling) return;
    const working = lane.connections;
    if (working > 0 && telling.judgement.verdict !== 'stop' && !isProbe) {
      crowdedAt = working;
      crowdedUntil = performance.now() + crowdedMs;
      return;
    }
    await lane.close(telling.judgement, telling.trouble, isProbe);
  }

  async function shut(
    state: 'paused' | 'stopped' | 'unreachable',
    judgement: Judgement,
    trouble: Trouble,
    probeMs: readonly [number, number],
    isProbe: boolean,
  ): Promise<void> {
    const detail = wordsOf(trouble);
    const isNews = await closeLane(database, key, {
      state,
      cause: judgement.cause,
      detail,
      probeMs,
      isProbe,
      untilSeconds: state === 'paused' ? (judgement.retryAfterSeconds ?? probeMs[0] / 1_000) : undefined,
    });
    change({ state, cause: judgement.cause, detail, isProbeDue: false });
    lane.trim(true);
    if (isNews)
      alert({
        kind: `lane-${state}`,
        lane: provider.name,
        cause: judgement.cause,
        stage: trouble.stage,
        detail,
      });
  }

  async function distrust(route: Route, cause: string): Promise<void> {
    const isNews = await distrustRoute(database, key, route.name, {
      state: 'bad',
      cause,
      holdDownMs: tempo.holdDownMs,
    });
    reading = {
      ...reading,
      routes: reading.routes.map((each) =>
        each.name === route.name ? { ...each, state: 'bad', cause } : each,
      ),
    };
    if (isNews) {
      log.warn(
        { event: 'route-bad', lane: provider.name, route: route.name, cause },
        `Route ${route.name} does not work; using the next one`,
      );
    }
  }

  async function probeLane(signal: AbortSignal): Promise<void> {
    const state = await takeProbe(database, key, 2 * tempo.leaseMs + provider.timeoutSeconds * 2_000);
    if (state === undefined) return;
    const acquired = state === 'paused' ? undefined : await acquire(signal, true);
    if (acquired && !acquired.session) return;
    const { cause } = reading;
    const isNews = await reopen(database, key);
    grown = 1;
    change({ state: 'open', cause: null, detail: null, nextProbeAt: null, isProbeDue: false });
    if (acquired?.session) lane.giveBack(acquired.session);
    if (isNews) {
      log.info(
        { event: 'lane-open', lane: provider.name, was: state },
        `Lane ${provider.name} is open again`,
      );
      alert({
        kind: 'lane-open',
        lane: provider.name,
        cause: cause ?? state,
        stage: 'accepted',
        detail: 'It works again.',
      });
    }
    wake();
  }

  /** EHLO and no more: a route is judged without spending a login. */
  async function probeRoutes(signal: AbortSignal): Promise<void> {
    const names = await takeRouteProbes(database, key, 2 * tempo.leaseMs + provider.timeoutSeconds * 2_000);
    for (const route of provider.routes.filter(({ name }) => names.includes(name))) {
      const opened = await open(route, signal);
      if (signal.aborted) return;
      if ('session' in opened) opened.session.close();
      if (await recordRouteProbe(database, key, route.name, 'session' in opened)) {
        log.info(
          { event: 'route-good', lane: provider.name, route: route.name },
          `Route ${route.name} works again`,
        );
      }
    }
  }
}

/** What the provider or the system said, for people. */
export function wordsOf({ symptom }: Trouble): string {
  return symptom.reply ?? symptom.message ?? 'no answer';
}
