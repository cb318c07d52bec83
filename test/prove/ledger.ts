// The account of a run: what was promised, what the provider took, and what Postern says of it. Pure, so that the
// rules by which a run passes or fails can be tested without one.
import type { Status } from '../../relay/client/vocabulary.ts';

/** A recipient for whom somebody was answered 250, 201 or 202. Each address is used for one mail only. */
export type Acknowledged = {
  readonly recipient: string;
  /** The queue id or email id in the answer. */
  readonly under: string;
  /** A later cancel was answered 200: no DATA may ever have been sent. */
  readonly cancelled: boolean;
};

/** A copy that the provider took responsibility for, whether its reply arrived or not. */
export type Taken = { readonly recipient: string; readonly sha256: string };

/** What Postern's tables say about a recipient. */
export type Recorded = {
  readonly recipient: string;
  /** Null while the email has not been handed to the relay. */
  readonly queueId: string | null;
  readonly status: Status;
  readonly reason: string | null;
  /** How often the timeline says that a copy was sent again although one may have arrived. */
  readonly possibleDuplicates: number;
  /** How often the timeline says that nobody knows whether it arrived. */
  readonly inDoubt: number;
  /** Of the bytes in the queue; null before the hand-over. */
  readonly sha256: string | null;
};

export type Books = {
  readonly acknowledged: readonly Acknowledged[];
  readonly taken: readonly Taken[];
  readonly recorded: readonly Recorded[];
  /** Recipients about whom the provider said 5xx at least once. */
  readonly refusedForGood: ReadonlySet<string>;
  /**
   * Mail without Message-ID and without key: how often its client has sent it. Nobody can tell the second time from
   * another mail, so it may have been accepted as often as that.
   */
  readonly unrecognisable: ReadonlyMap<string, number>;
};

export type Breach = { readonly recipient: string; readonly what: string };

export type Reckoning = {
  readonly acknowledged: number;
  /** Of the acknowledged: taken by the provider at least once. */
  readonly delivered: number;
  /** Refused by the provider for good. */
  readonly bounced: number;
  readonly cancelled: number;
  /** Not taken, and Postern shows that it waits: by status and reason. */
  readonly waiting: ReadonlyMap<string, number>;
  /** Once in the window in which SMTP cannot tell, whatever came of it. */
  readonly inDoubt: number;
  /** Of those: the provider had taken it before it was sent again. */
  readonly inDoubtAndTaken: number;
  /** Copies beyond the first that the timeline announces as possible duplicates. */
  readonly markedDuplicates: number;
  /** Accepted again because the client sent it again and it could not be recognised. */
  readonly resubmitted: number;

  /** Each of these breaks a promise. */
  readonly lost: readonly Breach[];
  readonly unmarkedDuplicates: readonly Breach[];
  readonly acceptedTwice: readonly Breach[];
  readonly sentAfterCancel: readonly Breach[];
  readonly mangled: readonly Breach[];
  readonly misreported: readonly Breach[];
};

const waitingStatuses: ReadonlySet<Status> = new Set([
  'pending',
  'queued',
  'sending',
  'deferred',
  'uncertain',
  'held',
]);

export function reckon({ acknowledged, taken, recorded, refusedForGood, unrecognisable }: Books): Reckoning {
  const copies = Map.groupBy(taken, ({ recipient }) => recipient);
  const records = Map.groupBy(recorded, ({ recipient }) => recipient);
  const waiting = new Map<string, number>();
  const breaches = {
    lost: [] as Breach[],
    unmarkedDuplicates: [] as Breach[],
    acceptedTwice: [] as Breach[],
    sentAfterCancel: [] as Breach[],
    mangled: [] as Breach[],
    misreported: [] as Breach[],
  };
  const count = {
    delivered: 0,
    bounced: 0,
    cancelled: 0,
    inDoubt: 0,
    inDoubtAndTaken: 0,
    markedDuplicates: 0,
    resubmitted: 0,
  };

  for (const { recipient, under, cancelled } of acknowledged) {
    const all = records.get(recipient) ?? [];
    const record = all.find(({ queueId }) => queueId === under) ?? all[0];
    const got = copies.get(recipient) ?? [];
    // Each acceptance has bytes of its own, because its Received field names its queue id.
    const arrived =
      all.length > 1 ? got.filter(({ sha256 }) => sha256 === record?.sha256).length : got.length;
    const lose = (what: string) => breaches.lost.push({ recipient, what: `${what} (${under})` });
    if (cancelled) {
      count.cancelled++;
      if (arrived > 0) breaches.sentAfterCancel.push({ recipient, what: `cancelled, and sent (${under})` });
    } else if (arrived > 0) count.delivered++;
    else if (!record) lose('acknowledged, and nowhere to be found');
    else if (waitingStatuses.has(record.status)) {
      const where = record.reason === null ? record.status : `${record.status}: ${record.reason}`;
      waiting.set(where, (waiting.get(where) ?? 0) + 1);
    } else if (record.status === 'bounced' && refusedForGood.has(recipient)) count.bounced++;
    else lose(`${record.status}, and the provider never took it`);
  }

  // Not only of what was acknowledged: mail whose answer was lost must not arrive twice either.
  for (const [recipient, all] of records) {
    const got = copies.get(recipient) ?? [];
    if (all.length > Math.max(1, unrecognisable.get(recipient) ?? 1)) {
      const ids = all.map(({ queueId }) => queueId ?? 'not handed over').join(', ');
      breaches.acceptedTwice.push({ recipient, what: `accepted ${all.length} times: ${ids}` });
    } else count.resubmitted += all.length - 1;
    const strange = got.filter(({ sha256 }) => !all.some((record) => record.sha256 === sha256));
    if (strange.length > 0) {
      const ids = all.map(({ queueId }) => queueId).join(', ');
      breaches.mangled.push({ recipient, what: `other bytes than those in the queue (${ids})` });
    }
    for (const record of all) {
      if (record.inDoubt > 0) count.inDoubt++;
      const own = all.length > 1 ? got.filter(({ sha256 }) => sha256 === record.sha256) : got;
      if (record.inDoubt > 0 && own.length > record.possibleDuplicates) count.inDoubtAndTaken++;
      const marked = Math.min(own.length - 1, record.possibleDuplicates);
      if (own.length > 1) count.markedDuplicates += marked;
      if (own.length - 1 > marked) {
        breaches.unmarkedDuplicates.push({
          recipient,
          what: `${own.length} copies, ${record.possibleDuplicates} of them announced (${record.queueId})`,
        });
      }
      // Taken, never in doubt, and not shown as sent: it would be sent again, or its sender told that it failed.
      if (own.length > 0 && record.status !== 'sent' && record.inDoubt === 0) {
        breaches.misreported.push({
          recipient,
          what: `taken, but shown as ${record.status} (${record.queueId})`,
        });
      }
    }
  }
  for (const recipient of copies.keys()) {
    if (!records.has(recipient))
      breaches.misreported.push({ recipient, what: 'taken, but not in any table' });
  }
  return { acknowledged: acknowledged.length, ...count, waiting, ...breaches };
}

/** All broken promises, in words; none is a pass. */
export function breachesOf(reckoning: Reckoning): string[] {
  const kinds = {
    lost: reckoning.lost,
    'unmarked duplicate': reckoning.unmarkedDuplicates,
    'accepted twice': reckoning.acceptedTwice,
    'sent after cancel': reckoning.sentAfterCancel,
    mangled: reckoning.mangled,
    misreported: reckoning.misreported,
  };
  return Object.entries(kinds).flatMap(([kind, all]) =>
    all.map(({ recipient, what }) => `${kind}: ${recipient}: ${what}`),
  );
}
