// One lane as this process sees it: its state, its sessions, and how many mails it may have under way.
import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { isAllowedSender } from '../../client/address/allowed-senders.ts';
import { type LaneReading, laneKey } from '../../lane-state/lanes.ts';
import type { Session } from '../../smtp/session.ts';
import type { Provider } from '../settings.ts';
import type { Timeouts } from '../timeouts.ts';
import {
  growAfterMail,
  growAfterWait,
  mostConnections,
  refusedMore,
  startAgain,
  startSlowly,
} from './capacity.ts';
import { lowestPriority, pacedUntil, slowDown, unlimited } from './pace.ts';
import { openPool } from './session-pool.ts';
import { type LaneView, openView } from './view.ts';

export type Lane = {
  readonly key: string;
  readonly provider: Provider;
  /** Certificates that may sign the provider's. */
  readonly authorities: readonly string[];
  readonly view: LaneView;
  readonly isOpen: boolean;
  /** Mails that may be started now. */
  readonly capacity: number;
  /** Mails under way. */
  readonly active: number;
  /** Connections this process may have; 0 until the first share is known. */
  slots: number;
  /** Sessions that exist, used or idle. */
  readonly connections: number;
  /** The least urgent priority that may leave now; -1 while the limits are used up. */
  readonly lowestPriority: number;
  /** Until when the limits hold mail back. */
  readonly pacedUntil: Date | null;
  /** When this process last handed a mail over here; null when it has not. */
  readonly lastTakenAt: Date | null;
  permits(sender: string): boolean;
  /** Counts a mail as started; `finish` ends it. */
  start(): void;
  finish(): void;
  /** The limits are used up for mail of this priority and less urgent, for that long. */
  pace(priority: number, seconds: number): void;
  /** A mail was taken. */
  grow(): void;
  /** Time passes: closes what is idle, and tries one connection more where a mail takes its time. */
  tick(): void;
  /** The provider refused one connection more than there are. */
  refusedMore(): void;
  /** Takes what the database says; `readAt` is the epoch of the view from before it was asked. */
  absorb(reading: LaneReading, readAt: number): void;
  /** It is open again, and begins with one connection. */
  reopen(): void;
  /** A session that is open already, for one mail. */
  takeIdle(): Session | undefined;
  /** A new session, for one mail. */
  add(session: Session): void;
  /** Takes a session back after use: kept for the next mail if it is still good. */
  giveBack(session: Session): void;
  /** Ends all sessions that nobody uses. */
  closeIdle(): void;
};

// Long because it is one object of many small answers, none of which does more than ask or set.
export function createLane(provider: Provider, { idleMs }: Timeouts): Lane {
  const key = laneKey(provider);
  const most = provider.maxConnections;
  const view = openView(key, provider);
  const pool = openPool();
  let capacity = startSlowly(performance.now());
  let pace = unlimited;
  let active = 0;
  let slots = 0;
  let lastTakenAt: Date | null = null;
  const isOpen = () => view.reading.state === 'open';

  return {
    key,
    provider,
    authorities: authoritiesFor(provider),
    view,
    get isOpen() {
      return isOpen();
    },
    get capacity() {
      return isOpen() ? Math.max(0, mostConnections(capacity, slots, performance.now()) - active) : 0;
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
    get connections() {
      return pool.connections;
    },
    get lowestPriority() {
      return lowestPriority(pace, performance.now());
    },
    get pacedUntil() {
      return pacedUntil(pace, performance.now());
    },
    get lastTakenAt() {
      return lastTakenAt;
    },
    permits: (sender) => sender === '' || isAllowedSender(sender, provider.allowedSenders),
    start() {
      active++;
    },
    finish() {
      active--;
    },
    pace(priority, seconds) {
      pace = slowDown(pace, priority, seconds, performance.now());
    },
    grow() {
      lastTakenAt = new Date();
      capacity = growAfterMail(capacity, most, performance.now());
    },
    tick() {
      pool.trim(idleMs, Math.max(slots, 1));
      capacity = growAfterWait(capacity, active, most, performance.now());
    },
    refusedMore() {
      capacity = refusedMore(capacity, pool.connections, performance.now());
    },
    absorb(reading, readAt) {
      const wasOpen = isOpen();
      if (!view.absorb(reading, readAt)) return;
      if (isOpen() && !wasOpen) capacity = startAgain(capacity);
      if (!isOpen()) pool.closeIdle();
    },
    reopen() {
      capacity = startAgain(capacity);
      view.learn({ state: 'open', cause: null, detail: null, nextProbeAt: null, isProbeDue: false });
    },
    takeIdle: pool.take,
    add: pool.add,
    giveBack: (session) =>
      pool.giveBack(session, isOpen() && session.route.name === view.routesToTry()[0]?.name),
    closeIdle: pool.closeIdle,
  };
}

function authoritiesFor({ caFile }: Provider): string[] {
  return caFile === undefined ? [...rootCertificates] : [...rootCertificates, readFileSync(caFile, 'utf8')];
}
