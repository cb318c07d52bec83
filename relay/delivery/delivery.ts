// Delivery: takes mail from the queue for free connections and hands it to the provider. One of these runs in every
// relay; what they must agree on is in the database. Here its parts are made, started and stopped.
import type { Database, Queryable } from '../../deploy/database.ts';
import type { Log } from '../../deploy/log.ts';
import type { Metrics } from '../../deploy/metrics.ts';
import { alwaysAwake, type Sleep } from '../../deploy/sleep.ts';
import type { Alert } from '../alerts/alerts.ts';
import { announceLanes, laneKey } from '../lane-state/lanes.ts';
import { openTokens, type Tokens } from '../tokens/tokens.ts';
import type { Agent } from './attempt/agent.ts';
import { openAttempts } from './attempt/attempts.ts';
import { applyEffect } from './attempt/effects.ts';
import { openSenderTags } from './attempt/sender-tags.ts';
import { openBackground } from './background.ts';
import { openContext } from './context.ts';
import { type Dispatcher, openDispatcher } from './dispatcher.ts';
import { watchIdentity } from './identity-watch.ts';
import { createLane } from './lanes/lane.ts';
import { leaveSlots } from './lanes/share.ts';
import { refreshLanes } from './lanes/share-connections.ts';
import { type Maintenance, startMaintenance } from './maintenance.ts';
import { openNoticeWriter } from './notices/owed.ts';
import { nextDueMs, readAgenda } from './queue/agenda.ts';
import { watchLeases } from './queue/lease-watch.ts';
import { openMarks } from './queue/marks.ts';
import { openRecollection, remember, type TakenMail } from './queue/recollection.ts';
import { openResults } from './queue/results.ts';
import { type DeliveryReport, reportOf } from './report.ts';
import { openSenderProbes } from './sender-probes.ts';
import type { DeliverySettings } from './settings.ts';
import { openSettle } from './settle.ts';
import { type Timeouts, usualTimeouts } from './timeouts.ts';

export type Delivery = AsyncDisposable & {
  /** New mail was accepted in this process, and waits in the queue. */
  wake(): void;
  /** What may be claimed in the commit that accepts mail: it goes on from memory. */
  readonly offer: Dispatcher['offer'];
  /** Looks at everything now: another process may have changed something. */
  look(): void;
  /** New mail was answered with 250 by this process. */
  took(mails: readonly TakenMail[]): void;
  /** When the next thing is due, in milliseconds; undefined when nothing is. */
  dueInMs(): Promise<number | undefined>;
  /** What the heartbeat publishes about routes and lanes. No secrets. */
  report(): DeliveryReport;
};

type Start = {
  readonly database: Database;
  readonly environment: DeliverySettings;
  readonly log: Log;
  readonly instance: string;
  /** What /metrics shows; without it nothing is counted. */
  readonly metrics?: Metrics;
  /** Told how many addresses came onto the suppression list, for what was said at RCPT. */
  readonly suppressed?: (by: number) => void;
  /** Told of what somebody must know. */
  readonly alert: (alert: Alert) => void;
  /** Shared with whoever else signs in; without it delivery has its own. */
  readonly tokens?: Tokens;
  /** What else this relay says in the transaction in which it says that it lives. */
  readonly beat?: (tx: Queryable) => Promise<void>;
  readonly sleep?: Sleep;
  /** Shortened by tests only. */
  readonly timeouts?: Partial<Timeouts>;
};

/**
 * Starts delivering. Resolves once the lanes are known to the database.
 *
 * Long because it makes the parts one after the other, and each needs those before it.
 */
export async function startDelivery({
  environment,
  metrics,
  beat = async () => {},
  sleep = alwaysAwake,
  ...start
}: Start): Promise<Delivery> {
  const { database, log } = start;
  const timeouts = { ...usualTimeouts, ...start.timeouts };
  const stopping = new AbortController();
  const leaseWatch = watchLeases(timeouts.leaseMs);
  const { databaseWasAway } = leaseWatch;
  const signal = stopping.signal;
  const tokens =
    start.tokens ?? openTokens({ database, instance: start.instance, signal, waits: timeouts.tokens });
  const context = openContext({
    ...start,
    tokens,
    settings: environment,
    timeouts,
    stopping: signal,
    metrics,
    databaseWasAway,
  });

  // In capture mode nothing leaves, whatever lies in the queue.
  const providers = environment.deliveryMode === 'capture' ? [] : environment.providers;
  let maintenance: Maintenance | undefined;
  const lanes = providers.map((provider) => createLane(provider, timeouts));
  const background = openBackground((error) => context.failed(error, 'storing results'));
  const wake = () => {
    dispatcher.wake();
    maintenance?.stir();
  };
  const recollection = openRecollection();
  const results = openResults(database, log, databaseWasAway, (batches, written) => {
    for (const batch of batches) remember(recollection, batch, written);
    if (written.suppressed > 0) start.suppressed?.(written.suppressed);
  });
  const identity = watchIdentity(context, recollection);
  const notices = openNoticeWriter(context, wake);
  const settle = openSettle(context, results, notices);
  const agent: Agent = {
    context,
    marks: openMarks(database),
    recollection,
    settle,
    hasBacklog: () => dispatcher.hasMail,
    tags: openSenderTags(context),
    applyEffect: (lane, mail, effect) => applyEffect(context, lane, mail, effect, false),
    routeStopped: () => refreshLanes(database, lanes),
    settled: async () => {},
  };
  const attempts = openAttempts(background, () => {
    dispatcher.freed();
    maintenance?.stir();
  });
  const senderProbes = openSenderProbes(agent, attempts, background, wake);
  const parts = { context, identity, lanes, agent, attempts, settle, senderProbes, background };
  const dispatcher = openDispatcher(parts);

  await identity.confirm();
  await announceLanes(
    database,
    environment.providers.map((provider) => ({ key: laneKey(provider), ...provider })),
  );
  const maintained = startMaintenance({ ...parts, dispatcher, leaseWatch, notices, beat, sleep });
  maintenance = maintained;

  return {
    wake,
    offer: dispatcher.offer,
    look: maintained.look,
    took: recollection.took,
    report: () => reportOf(lanes),
    async dueInMs() {
      if (dispatcher.hasMail || lanes.some(({ active }) => active > 0)) return 0;
      return nextDueMs(
        await readAgenda(
          database,
          lanes.map(({ key }) => key),
        ),
        { isConfigured: lanes.length > 0, hasFrom: environment.from !== undefined },
      );
    },

    async [Symbol.asyncDispose]() {
      stopping.abort(new Error('This relay is stopping'));
      await maintained.stop();
      await dispatcher.stop();
      // What has not reached the dot goes back unharmed; what has waits for its final reply.
      attempts.interrupt();
      const patience = setTimeout(() => {
        attempts.abandon();
        results.giveUp();
      }, timeouts.stopMs);
      await background.finished();
      clearTimeout(patience);
      await maintained.stopRenewing();
      for (const lane of lanes) lane.closeIdle();
      await context.tryTo('leaving connections to others', () => leaveSlots(database, context.instance));
    },
  };
}
