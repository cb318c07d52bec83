// What this relay has lately seen committed: results, marks, and mail it took. A standby that took over without the last
// commits has lost some of it, and this process can write it down again. Bounded by time, number and bytes.
import { type Change, keyOf, type TimelineEntry, type Written } from './results.ts';

export type KnownResult = {
  readonly change: Change;
  readonly entries: readonly TimelineEntry[];
  /** When it was committed, by the database's clock. */
  readonly at: Date;
};
export type TakenMail = { readonly queueId: string; readonly at: Date };

export type Recollection = {
  /** A result, or that data may be out. What says that nothing has happened is forgotten. */
  keep(known: KnownResult): void;
  /** Mail was answered with 250. */
  took(mails: readonly TakenMail[]): void;
  /** All that was committed since; `isWhole` unless some of it had to be forgotten. */
  since(time: Date): {
    readonly results: readonly KnownResult[];
    readonly taken: readonly TakenMail[];
    readonly isWhole: boolean;
  };
};

type Limits = { readonly mostItems: number; readonly mostBytes: number; readonly lastsMs: number };

const usualLimits: Limits = { mostItems: 20_000, mostBytes: 8 * 1024 * 1024, lastsMs: 10 * 60_000 };

type Kept<T> = { readonly what: T; readonly at: number; readonly bytes: number };

export function openRecollection(limits: Limits = usualLimits): Recollection {
  const results = openShelf<KnownResult>(limits);
  const taken = openShelf<TakenMail>(limits);
  return {
    keep(known) {
      const { queueId, ordinal } = known.change;
      const key = `${queueId} ${ordinal}`;
      if (!isWorthKeeping(known.change)) results.forget(key);
      else results.put(key, { what: known, at: known.at.getTime(), bytes: bytesOf(known) });
    },
    took(mails) {
      // Its own object: the given one may hold the mail itself, with all its octets.
      for (const { queueId, at } of mails) {
        taken.put(queueId, { what: { queueId, at }, at: at.getTime(), bytes: 200 });
      }
    },
    since(time) {
      return {
        results: results.since(time.getTime()),
        taken: taken.since(time.getTime()),
        isWhole: Math.max(results.forgottenUpTo, taken.forgottenUpTo) < time.getTime(),
      };
    },
  };
}

/**
 * What was written about the recipients of a mail, or would have been if the database knew of their claim: that was
 * committed no later than the mark, and perhaps lost with it.
 */
export function remember(
  { keep }: Pick<Recollection, 'keep'>,
  { changes, entries }: { changes: readonly Change[]; entries: readonly TimelineEntry[] },
  { keys, at }: Written,
): void {
  for (const change of changes) {
    const { queueId, ordinal, markedAt } = change;
    const own = entries.filter((entry) => entry.queueId === queueId && entry.ordinal === ordinal);
    const isWritten = keys.has(keyOf(change)) || markedAt === null;
    keep({ change, entries: own, at: isWritten ? at : dateOf(markedAt) });
  }
}

/** PostgreSQL writes `2030-01-01 00:00:00.123456+00`. */
export const dateOf = (timestamp: string) =>
  new Date(timestamp.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00'));

/** Only what must not happen again: an answer that ends a mail, and data that may be out. */
function isWorthKeeping({ status, markedAt }: Change): boolean {
  if (status === 'sent' || status === 'bounced' || status === 'uncertain') return true;
  return status === 'held' && markedAt !== null;
}

const bytesOf = ({ change, entries }: KnownResult) =>
  400 + 2 * ((change.reply?.length ?? 0) + (change.reasonDetail?.length ?? 0)) + 1_000 * entries.length;

/**
 * The newest of each key, oldest first. The order is an array beside the map: a map from which the oldest is taken again
 * and again walks over all that it has lost before (measured: ten times the work of this).
 */
function openShelf<T>({ mostItems, mostBytes, lastsMs }: Limits) {
  const kept = new Map<string, Kept<T>>();
  let order: { readonly key: string; readonly item: Kept<T> }[] = [];
  /** Where the oldest is; what is before it, and what the map has under another item, is gone. */
  let first = 0;
  let bytes = 0;
  let forgottenUpTo = Number.NEGATIVE_INFINITY;

  const forget = (key: string) => {
    bytes -= kept.get(key)?.bytes ?? 0;
    kept.delete(key);
  };

  const trim = (now: number) => {
    for (; first < order.length; first++) {
      const { key, item } = order[first] as (typeof order)[number];
      if (kept.get(key) !== item) continue;
      if (kept.size <= mostItems && bytes <= mostBytes && item.at > now - lastsMs) break;
      forgottenUpTo = Math.max(forgottenUpTo, item.at);
      forget(key);
    }
    // Also what lies behind an item that stays: at most as much as is kept.
    if (order.length < 64 || order.length < 2 * kept.size) return;
    order = order.slice(first).filter(({ key, item }) => kept.get(key) === item);
    first = 0;
  };

  return {
    forget,
    put(key: string, item: Kept<T>) {
      forget(key);
      kept.set(key, item);
      order.push({ key, item });
      bytes += item.bytes;
      trim(item.at);
    },
    since: (time: number) => [...kept.values()].filter(({ at }) => at >= time).map(({ what }) => what),
    get forgottenUpTo() {
      return forgottenUpTo;
    },
  };
}
