// The account of a run's events: what the database saw change, and what an endpoint was told. Pure, so that the rules by
// which a run passes or fails can be tested without one.
import type { Breach } from './ledger.ts';

/** A change of status that was committed, as a trigger of the run's own saw it (changes.ts). */
export type Change = {
  /** The queue id, or the email id where no relay had it, and the address. */
  readonly key: string;
  readonly status: string;
};

/** A request that an endpoint got. */
export type Told = {
  readonly id: string;
  readonly key: string;
  readonly type: string;
  readonly status: string;
  /** Which of the events of a key is the newer one. */
  readonly seq: number;
  /** It was answered 204. Others do not count: an application has failed then. */
  readonly taken: boolean;
  /** The body as it came. */
  readonly body: string;
  /** The libraries that refuse its signature. */
  readonly refusedBy: readonly string[];
};

export type EventReckoning = {
  readonly changes: number;
  /** By their ids. */
  readonly events: number;
  readonly requests: number;
  /** Each of these breaks a promise. */
  readonly missed: readonly Breach[];
  /** Nothing changed, or somebody was told under a second id. */
  readonly invented: readonly Breach[];
  readonly sharedIds: readonly Breach[];
  readonly unsigned: readonly Breach[];
};

export function reckonEvents(changes: readonly Change[], told: readonly Told[]): EventReckoning {
  const requests = Map.groupBy(told, ({ id }) => id);
  const events = [...requests.values()].flatMap((all) => all.find(({ taken }) => taken) ?? []);
  const heard = Map.groupBy(events, ({ key }) => key);
  const committed = Map.groupBy(changes, ({ key }) => key);
  const missed: Breach[] = [];
  const invented: Breach[] = [];
  for (const key of new Set([...committed.keys(), ...heard.keys()])) {
    const wanted = (committed.get(key) ?? []).map(({ status }) => `email.${status} ${status}`);
    const got = (heard.get(key) ?? [])
      .toSorted((a, b) => a.seq - b.seq)
      .map(({ type, status }) => `${type} ${status}`);
    if (got.join() === wanted.join()) continue;
    const what = `changed: ${wanted.join(', ') || 'nothing'}; told: ${got.join(', ') || 'nothing'}`;
    (got.length < wanted.length ? missed : invented).push({ recipient: key, what });
  }
  return {
    changes: changes.length,
    events: events.length,
    requests: told.length,
    missed,
    invented,
    sharedIds: [...requests].flatMap(([id, all]) =>
      new Set(all.map(({ body }) => body)).size > 1
        ? [{ recipient: all[0]?.key ?? '', what: `${id} came with different bodies` }]
        : [],
    ),
    unsigned: told.flatMap(({ id, key, refusedBy }) =>
      refusedBy.length > 0 ? [{ recipient: key, what: `${id} is refused by ${refusedBy.join(', ')}` }] : [],
    ),
  };
}

export const breachesOfEvents = ({ missed, invented, sharedIds, unsigned }: EventReckoning): string[] =>
  Object.entries({
    'event missed': missed,
    'event invented': invented,
    'id shared': sharedIds,
    unsigned,
  }).flatMap(([kind, breaches]) => breaches.map(({ recipient, what }) => `${kind}: ${recipient}: ${what}`));
