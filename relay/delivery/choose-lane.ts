// Which lane a mail leaves by. Pure.
import type { LaneReading } from '../lane-state/lanes.ts';
import type { ClaimedMail } from '../policy/claimed-mail.ts';
import type { Lane } from './lanes/lane.ts';

export type HeldSender = { readonly lane: Lane; readonly hold: LaneReading['heldSenders'][number] };

export type LaneChoice =
  | { readonly lane: Lane }
  /** Those that are open hold mail of this sender. */
  | { readonly heldBy: HeldSender }
  /** No open lane takes this sender. */
  | 'none';

/** The first open lane on which the sender is welcome; held when those that are open do not let it pass. */
export function chooseLane(
  lanes: readonly Lane[],
  { sender, headerFrom }: Pick<ClaimedMail, 'sender' | 'headerFrom'>,
): LaneChoice {
  const open = lanes.filter((lane, rank) => lane.isOpen && (rank === 0 || lane.permits(headerFrom)));
  const holds = open.map(({ view }) =>
    view.reading.heldSenders.find((held) => held.sender === sender || held.sender === headerFrom),
  );
  const free = open[holds.indexOf(undefined)];
  if (free) return { lane: free };
  const [lane] = open;
  const [hold] = holds;
  return lane && hold ? { heldBy: { lane, hold } } : 'none';
}

/** Whether mail can leave, only not now. */
export function areFull(lanes: readonly Lane[]): boolean {
  const open = lanes.filter(({ isOpen }) => isOpen);
  return open.length > 0 && open.every(({ capacity }) => capacity <= 0);
}

/** However fast connections are: what lies ready takes memory, and is late when this relay dies. */
const mostReady = 1_500;
const leastUrgent = 9;

/**
 * How many mails of each priority may be claimed by the commits that accept them: as many as leave within about a
 * second, behind those that lie ready and are as urgent. None while the lane is full for others or its limits are used up.
 *
 * @param ready the priorities of what lies ready
 * @param offered how many mails of any priority were offered and are not here yet
 */
export function roomFor(
  { capacity, active, lowestPriority }: Pick<Lane, 'capacity' | 'active' | 'lowestPriority'>,
  { ready, offered, usualMs }: { ready: readonly number[]; offered: number; usualMs: number },
): number[] {
  const connections = capacity + active;
  const most = Math.min(Math.ceil(connections * Math.max(1_000 / usualMs, 1)), mostReady) - offered;
  const asUrgent = Array.from({ length: leastUrgent + 1 }, () => 0);
  for (const priority of ready) asUrgent[priority] = (asUrgent[priority] ?? 0) + 1;
  let before = 0;
  return asUrgent.map((count, priority) => {
    before += count;
    return priority > lowestPriority ? 0 : Math.max(0, most - before);
  });
}

/** Mails that lie ready for each connection at the most. */
const mostAhead = 8;

/**
 * How many mails to claim now. While there is a backlog a few more than there are free connections lie ready, so that no
 * connection waits for a claim and one statement claims many: as many as leave within a tenth of a second, because what
 * lies ready cannot be overtaken by what is more urgent.
 *
 * @param usualMs how long a connection is busy with one mail
 */
export function claimSize(
  { capacity, active }: Pick<Lane, 'capacity' | 'active'>,
  { ready, hasBacklog, usualMs }: { ready: number; hasBacklog: boolean; usualMs: number },
): number {
  if (!hasBacklog) return capacity - ready;
  const wanted = Math.ceil((capacity + active) * Math.min(Math.max(100 / usualMs, 1), mostAhead));
  return ready > wanted / 2 ? 0 : capacity + wanted - ready;
}
