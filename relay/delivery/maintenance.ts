// Everything delivery does by the clock. One look at a time tells the database that this relay lives and asks what there
// is to do (agenda.ts); what is due is then done beside it (chores.ts), so that nothing waits for anything else. While mail
// is under way a look follows every half second; else when something is due, and every five seconds.
import { ring } from '../../deploy/bell.ts';
import type { Queryable } from '../../deploy/database.ts';
import { every } from '../../deploy/repeat.ts';
import { everyWhileAwake } from '../../deploy/sleep.ts';
import { type Chores, holdBackup, openChores } from './chores.ts';
import { probe } from './lanes/probes.ts';
import { refreshLanes, type Share, shareConnections } from './lanes/share-connections.ts';
import type { Maintained } from './maintained.ts';
import { type Agenda, readAgenda } from './queue/agenda.ts';
import { renewLeases } from './queue/leases.ts';
import { tickOpen } from './queue/open-time.ts';
import { openTempo } from './tempo.ts';

export type Maintenance = {
  /** Looks now: something may have changed. */
  look(): void;
  /** Mail is under way: the next look may not be far. */
  stir(): void;
  /** Ends everything but the renewal of leases, and waits for what is under way. */
  stop(): Promise<void>;
  /** Ends that, too: nothing is under way any more. */
  stopRenewing(): Promise<void>;
};

export function startMaintenance(maintained: Maintained): Maintenance {
  const { context, lanes, sleep } = maintained;
  const { timeouts } = context;
  const renewing = every(timeouts.leaseMs / 3, () =>
    renew(maintained).catch((error) => context.failed(error, 'renewing leases')),
  );
  const chores = openChores(maintained);
  const tempo = openTempo(timeouts);
  const rarely = openRarely(maintained);
  sleep.onChange((isAsleep) => {
    if (!isAsleep) return;
    // Others may take them meanwhile.
    for (const lane of lanes) {
      lane.slots = 0;
      lane.closeIdle();
    }
  });
  const looking = everyWhileAwake(
    sleep,
    () => tempo.pauseMs(),
    async () => {
      try {
        if (isBusy(maintained)) sleep.stir();
        const agenda = await look(maintained, chores, rarely);
        tempo.looked(agenda, {
          isBusy: isBusy(maintained),
          canSend: lanes.some(({ isOpen, lowestPriority }) => isOpen && lowestPriority >= 0),
        });
      } catch (error) {
        context.failed(error, 'looking after the lanes');
        tempo.failed();
      }
    },
  );
  return {
    look: looking.now,
    stir: () => looking.within(timeouts.pollMs),
    async stop() {
      await looking.stop();
      await chores.finished();
    },
    stopRenewing: () => renewing.stop(),
  };
}

/** Three times in a lease, and before everything else: without it other relays send our mail again. */
async function renew({ context, attempts, dispatcher, leaseWatch }: Maintained): Promise<void> {
  const startedAt = performance.now();
  const tokens = new Set([...attempts.tokens(), ...dispatcher.tokens()]);
  await renewLeases(context.database, [...tokens], context.timeouts.leaseMs);
  leaseWatch.renewed(startedAt);
}

const isBusy = ({ dispatcher, lanes }: Maintained) =>
  dispatcher.hasMail || lanes.some(({ active }) => active > 0);

/** What is done in the transaction of a look, but not in every one. */
type Rarely = {
  /** Counts the time in which mail can leave. */
  tick(tx: Queryable): Promise<void>;
  /** Tells the other relays, which may be at rest, that mail is due and all connections of this one are in use. */
  callForHelp(tx: Queryable, agenda: Agenda, share: Share | undefined): Promise<void>;
};

function openRarely({ context, lanes, sleep }: Maintained): Rarely {
  const { pollMs, quietMs } = context.timeouts;
  const isAnyOpen = () => lanes.some(({ isOpen }) => isOpen);
  let sleptFrom: number | undefined;
  let sleptMs = 0;
  sleep.onChange((isAsleep) => {
    // Asleep with an open lane mail could have left at any time.
    if (isAsleep) sleptFrom = isAnyOpen() ? performance.now() : undefined;
    else if (sleptFrom !== undefined) sleptMs += performance.now() - sleptFrom;
    if (!isAsleep) sleptFrom = undefined;
  });
  let tickedAt = Number.NEGATIVE_INFINITY;
  let calledAt = Number.NEGATIVE_INFINITY;
  return {
    async tick(tx) {
      const now = performance.now();
      if (now - tickedAt < 40 * pollMs || !isAnyOpen()) return;
      await tickOpen(tx, sleptMs / 1_000);
      sleptMs = 0;
      tickedAt = now;
    },
    async callForHelp(tx, { mail }, share) {
      const now = performance.now();
      const isAlone = share === undefined || share.met.replicas.length < 2;
      if (isAlone || mail === null || mail > 0 || now - calledAt < quietMs) return;
      if (lanes.some(({ capacity }) => capacity > 0)) return;
      await ring(tx, 'relay', 'mail');
      calledAt = now;
    },
  };
}

/** One transaction, because a system at rest does hardly anything but this. */
async function look(maintained: Maintained, chores: Chores, rarely: Rarely): Promise<Agenda> {
  const { context, identity, lanes, dispatcher, background, beat } = maintained;
  const { from } = context.settings;
  await identity.confirm();
  if (identity.isAsking) await holdBackup(context, dispatcher);
  const { share, agenda } = await context.database.transaction(async (tx) => {
    const shared = await shareConnections(context, tx, lanes, isBusy(maintained));
    await refreshLanes(tx, lanes);
    await beat(tx);
    await rarely.tick(tx);
    const read = await readAgenda(
      tx,
      lanes.map(({ key }) => key),
    );
    await rarely.callForHelp(tx, read, shared);
    // Without a From no notice can be written.
    return { share: shared, agenda: from ? read : { ...read, notice: null } };
  });
  for (const [index, lane] of lanes.entries()) {
    lane.slots = share?.slots[index] ?? 0;
    lane.tick();
    background.follow(probe(context, lane, dispatcher.wake));
  }
  if (share) await identity.beaten(share.met);
  if (dispatcher.hasMail || (agenda.mail !== null && agenda.mail <= 0)) dispatcher.wake();
  chores.begin(agenda);
  return agenda;
}
