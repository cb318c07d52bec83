// Everything delivery does by the clock: a table of tasks, each with its own timer, so that none waits for another and a
// statement that hangs stops one of them. What concerns every waiting mail at once works in batches.
import { every, type Repeating } from '../../deploy/repeat.ts';
import { liftHoldsOfForeignLanes } from '../lane-state/sender-holds.ts';
import { usesTokens } from '../tokens/tokens.ts';
import type { Attempts } from './attempt/attempts.ts';
import type { Background } from './background.ts';
import type { DeliveryContext } from './context.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { IdentityWatch } from './identity-watch.ts';
import type { Lane } from './lanes/lane.ts';
import { forgetUsage } from './lanes/pacing.ts';
import { probe } from './lanes/probes.ts';
import { hasQuota } from './lanes/quota.ts';
import { refreshLanes, shareConnections } from './lanes/share-connections.ts';
import type { NoticeWriter } from './notices/owed.ts';
import { configurationBatch, holdUnconfigured, releaseUnconfigured } from './queue/configuration.ts';
import type { LeaseWatch } from './queue/lease-watch.ts';
import { reapLeases, renewLeases } from './queue/leases.ts';
import { releaseLifted } from './queue/lifted-holds.ts';
import { tickOpen } from './queue/open-time.ts';
import { holdRestored } from './queue/restored.ts';
import { resendUncertain } from './queue/uncertain.ts';
import type { SenderProbes } from './sender-probes.ts';

export type Maintained = {
  readonly context: DeliveryContext;
  readonly identity: IdentityWatch;
  readonly lanes: readonly Lane[];
  readonly attempts: Attempts;
  readonly dispatcher: Dispatcher;
  readonly senderProbes: SenderProbes;
  readonly leaseWatch: LeaseWatch;
  readonly notices: NoticeWriter;
  readonly background: Background;
};

type Task = {
  /** For the log: what could not be done. */
  readonly name: string;
  readonly everyMs: number;
  run(): Promise<void>;
};

export type Maintenance = {
  /** Ends all tasks but the renewal of leases, and waits for those under way. */
  stop(): Promise<void>;
  /** Ends that, too: nothing is under way any more. */
  stopRenewing(): Promise<void>;
};

export function startMaintenance(maintained: Maintained): Maintenance {
  const { context } = maintained;
  const start = ({ name, everyMs, run }: Task): Repeating =>
    every(everyMs, () => run().catch((error) => context.failed(error, name)));
  const renewing = start(renewal(maintained));
  const others = tasks(maintained).map(start);
  return {
    async stop() {
      await Promise.all(others.map((task) => task.stop()));
    },
    stopRenewing: () => renewing.stop(),
  };
}

/** Three times in a lease, and before everything else: without it other relays send our mail again. */
function renewal({ context, attempts, dispatcher, leaseWatch }: Maintained): Task {
  const { database, timeouts } = context;
  return {
    name: 'renewing leases',
    everyMs: timeouts.leaseMs / 3,
    async run() {
      const startedAt = performance.now();
      const tokens = new Set([...attempts.tokens(), ...dispatcher.tokens()]);
      await renewLeases(database, [...tokens], timeouts.leaseMs);
      leaseWatch.renewed(startedAt);
    },
  };
}

function tasks(maintained: Maintained): Task[] {
  const { context, lanes, dispatcher, notices } = maintained;
  const { database, settings, timeouts, stopping } = context;
  const { pollMs } = timeouts;
  const isUnconfigured = settings.providers.length === 0;
  return [
    { name: 'looking after the lanes', everyMs: pollMs, run: () => lookAfterLanes(maintained) },
    { name: 'probing held senders', everyMs: pollMs, run: () => probeSenders(maintained) },
    { name: 'taking leases that ran out', everyMs: 2 * pollMs, run: () => reap(maintained) },
    { name: 'sending uncertain mail again', everyMs: 2 * pollMs, run: () => resend(maintained) },
    { name: 'writing notices', everyMs: slow(pollMs), run: () => notices.write() },
    {
      name: 'counting the time in which mail can leave',
      everyMs: slow(pollMs),
      async run() {
        if (lanes.some(({ isOpen }) => isOpen)) await tickOpen(database);
      },
    },
    {
      name: 'forgetting what no limit counts any more',
      everyMs: slow(pollMs),
      async run() {
        if (lanes.some(hasQuota)) await forgetUsage(database);
      },
    },
    {
      name: 'renewing access tokens',
      everyMs: slow(pollMs),
      run: () => renewTokens(context, lanes),
    },
    {
      name: 'holding the mail of a restored backup',
      everyMs: slow(pollMs),
      run: () => holdBackup(context, dispatcher),
    },
    {
      name: isUnconfigured ? 'holding mail without a provider' : 'releasing mail that had no provider',
      everyMs: slow(pollMs),
      run: () => followConfiguration(context, dispatcher),
    },
    {
      name: 'releasing mail of senders that are free again',
      everyMs: slow(pollMs),
      async run() {
        const keys = settings.providers.length > 0 ? lanes.map(({ key }) => key) : [];
        if (keys.length > 0) await liftHoldsOfForeignLanes(database, keys);
        await releaseLifted(database, {
          signal: stopping,
          released: (recipients) => recipients > 0 && dispatcher.wake(),
        });
      },
    },
  ];
}

/** What nobody waits for is done every ten seconds instead of twice a second. */
const slow = (pollMs: number) => 20 * pollMs;

async function lookAfterLanes({
  context,
  identity,
  lanes,
  dispatcher,
  background,
}: Maintained): Promise<void> {
  await identity.confirm();
  await refreshLanes(context, lanes);
  const isBusy = dispatcher.hasMail || lanes.some(({ active }) => active > 0);
  const met = await shareConnections(context, lanes, isBusy);
  if (met) await identity.beaten(met);
  for (const lane of lanes) {
    lane.tick();
    background.follow(probe(context, lane, dispatcher.wake));
  }
  dispatcher.wake();
}

/** Beside the lanes: finding a mail of a sender may take many statements. */
async function probeSenders({ lanes, senderProbes }: Maintained): Promise<void> {
  for (const lane of lanes) if (lane.isOpen) await senderProbes.run(lane);
}

async function reap({ context, leaseWatch, dispatcher }: Maintained): Promise<void> {
  if (!leaseWatch.mayReap()) return;
  const { database, log, timeouts, settings } = context;
  const { leaseMs, resendMs } = timeouts;
  const reaped = await reapLeases(database, { leaseMs, resendMs, policy: settings.uncertainPolicy });
  for (const { queueId, status } of reaped) {
    log.warn({ event: 'lease-lost', queueId, status }, 'The relay that had this mail is gone');
  }
  if (reaped.length > 0) dispatcher.wake();
}

async function resend({ context: { database, log }, dispatcher }: Maintained): Promise<void> {
  const queueIds = await resendUncertain(database);
  for (const queueId of queueIds) {
    log.warn({ event: 'resend', queueId }, 'No final reply came; sending it once again');
  }
  if (queueIds.length > 0) dispatcher.wake();
}

/** Before a mail needs them; and a refresh token that nobody uses dies after some months. */
async function renewTokens({ tokens }: DeliveryContext, lanes: readonly Lane[]): Promise<void> {
  const signedIn = lanes.filter(({ isOpen }) => isOpen).map(({ provider }) => provider);
  await Promise.all(signedIn.filter(usesTokens).map((provider) => tokens.tokenFor(provider)));
}

async function holdBackup({ database, log, stopping }: DeliveryContext, { wake }: Dispatcher): Promise<void> {
  let held = 0;
  while (!stopping.aborted) {
    const step = await holdRestored(database);
    if (step.state === 'idle') return;
    if (step.state === 'finished') {
      log.warn({ event: 'restored-held', held }, 'All waiting mail of the restored database is held');
      return wake();
    }
    held += step.held;
  }
}

/** Holds mail while there is no provider, and releases it when there is one. */
async function followConfiguration(
  { database, log, settings, stopping }: DeliveryContext,
  { wake }: Dispatcher,
): Promise<void> {
  const missing = settings.providers.length > 0 ? undefined : settings.missing;
  let recipients = 0;
  let changed: number;
  do {
    changed = missing ? await holdUnconfigured(database, missing) : await releaseUnconfigured(database);
    recipients += changed;
    if (changed > 0 && !missing) wake();
  } while (changed === configurationBatch && !stopping.aborted);
  if (recipients === 0) return;
  log.info(
    { event: missing ? 'held' : 'released', recipients, cause: 'not-configured' },
    missing ? 'Waiting mail is held: no provider is configured' : 'Mail that had no provider is released',
  );
}
