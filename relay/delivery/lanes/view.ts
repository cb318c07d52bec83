// A lane as the database knew it when this process last looked, and what the process has learned since.
import type { LaneReading } from '../../lane-state/lanes.ts';
import type { Provider, Route } from '../settings.ts';

export type LaneView = {
  readonly reading: LaneReading;
  /** Changes with everything this process learns about the lane by itself. */
  readonly epoch: number;
  /** Takes what the database says; `readAt` is the epoch from before it was asked. False when we know better. */
  absorb(reading: LaneReading, readAt: number): boolean;
  /** What this process found out, before the next reading says so. */
  learn(learned: Partial<LaneReading>): void;
  learnHold(hold: { sender: string; cause: string; detail: string; stage: string }): void;
  forgetHold(sender: string): void;
  learnBadRoute(name: string, cause: string): void;
  /** Those that can be trusted; when none can, those that merely failed; at last all. */
  routesToTry(): readonly Route[];
};

export function openView(key: string, { routes }: Provider): LaneView {
  let epoch = 0;
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
  const stateOf = (route: Route) => reading.routes.find(({ name }) => name === route.name)?.state ?? 'good';
  const inState = (state: string) => routes.filter((route) => stateOf(route) === state);
  const learn = (learned: Partial<LaneReading>) => {
    epoch++;
    reading = { ...reading, ...learned };
  };

  return {
    get reading() {
      return reading;
    },
    get epoch() {
      return epoch;
    },
    absorb(next, readAt) {
      // Read before we learned better: what we know is newer, and in the database by the next reading.
      if (readAt !== epoch) return false;
      reading = next;
      return true;
    },
    learn,
    learnHold(hold) {
      const others = reading.heldSenders.filter(({ sender }) => sender !== hold.sender);
      const since = new Date().toISOString();
      learn({ heldSenders: [...others, { ...hold, since, nextProbeAt: null, isProbeDue: false }] });
    },
    forgetHold(freed) {
      learn({ heldSenders: reading.heldSenders.filter(({ sender }) => sender !== freed) });
    },
    learnBadRoute(name, cause) {
      const bad = { state: 'bad', cause } as const;
      // The epoch stays: the database knows it already, and its next reading may know more.
      reading = {
        ...reading,
        routes: reading.routes.map((route) => (route.name === name ? { ...route, ...bad } : route)),
      };
    },
    routesToTry() {
      const [good, bad] = [inState('good'), inState('bad')];
      return good.length > 0 ? good : bad.length > 0 ? bad : routes;
    },
  };
}
