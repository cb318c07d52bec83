// What delivery does when the agenda says that it is due: a table of chores, each of them at most once at a time, none of
// which waits for another. What concerns every waiting mail at once works in batches.
import { liftHoldsOfForeignLanes } from '../lane-state/sender-holds.ts';
import { usesTokens } from '../tokens/tokens.ts';
import type { DeliveryContext } from './context.ts';
import type { Dispatcher } from './dispatcher.ts';
import { announceMissing } from './identity-watch.ts';
import type { Lane } from './lanes/lane.ts';
import { forgetUsage } from './lanes/pacing.ts';
import { hasQuota } from './lanes/quota.ts';
import type { Maintained } from './maintained.ts';
import type { Agenda } from './queue/agenda.ts';
import { configurationBatch, holdUnconfigured, releaseUnconfigured } from './queue/configuration.ts';
import { reapLeases } from './queue/leases.ts';
import { releaseLifted } from './queue/lifted-holds.ts';
import { holdRestored } from './queue/restored.ts';
import { resendUncertain } from './queue/uncertain.ts';

type Chore = {
  /** For the log: what could not be done. */
  readonly name: string;
  /** Not sooner after its last beginning. */
  readonly everyMs: number;
  isDue(agenda: Agenda): boolean;
  run(): Promise<void>;
};

export type Chores = {
  /** Begins what is due. */
  begin(agenda: Agenda): void;
  /** Resolves when none is under way. */
  finished(): Promise<void>;
};

export function openChores(maintained: Maintained): Chores {
  const { context } = maintained;
  const begun = chores(maintained).map((chore) => ({
    chore,
    at: Number.NEGATIVE_INFINITY,
    running: undefined as Promise<void> | undefined,
  }));
  return {
    begin(agenda) {
      const now = performance.now();
      for (const each of begun) {
        const { chore, at, running } = each;
        if (running || now - at < chore.everyMs || !chore.isDue(agenda)) continue;
        each.at = now;
        each.running = chore
          .run()
          .catch((error) => context.failed(error, chore.name))
          .finally(() => {
            each.running = undefined;
          });
      }
    },
    async finished() {
      await Promise.all(begun.map(({ running }) => running));
    },
  };
}

const isDue = (ms: number | null) => ms !== null && ms <= 0;

const chores = (maintained: Maintained): Chore[] => [
  ...perMail(maintained),
  ...perLane(maintained),
  ...perConfiguration(maintained),
];

/** What becomes of single mails; looked for at every look. */
function perMail(maintained: Maintained): Chore[] {
  const { context, lanes, dispatcher, leaseWatch, notices } = maintained;
  return [
    {
      name: 'probing held senders',
      everyMs: 0,
      isDue: () => lanes.some(({ view }) => view.reading.heldSenders.some(({ isProbeDue }) => isProbeDue)),
      run: () => probeSenders(maintained),
    },
    {
      name: 'taking leases that ran out',
      everyMs: 0,
      isDue: ({ lease }) => isDue(lease) && leaseWatch.mayReap(),
      run: () => reap(maintained),
    },
    {
      name: 'sending uncertain mail again',
      everyMs: 0,
      isDue: ({ uncertain }) => isDue(uncertain),
      run: () => resend(maintained),
    },
    {
      name: 'writing notices',
      everyMs: 0,
      isDue: ({ notice }) => isDue(notice),
      run: () => notices.write(),
    },
    {
      name: 'holding the mail of a restored backup',
      everyMs: 0,
      isDue: ({ isRestored }) => isRestored,
      run: () => holdBackup(context, dispatcher),
    },
  ];
}

function perLane({ context, lanes }: Maintained): Chore[] {
  const { database, timeouts } = context;
  const { pollMs } = timeouts;
  const startedAt = performance.now();
  return [
    {
      name: 'renewing access tokens',
      everyMs: slow(pollMs),
      // The first mail asks for itself: it must know whether the token that a server refused was a new one.
      isDue: () =>
        performance.now() - startedAt > slow(pollMs) &&
        lanes.some(({ isOpen, provider }) => isOpen && usesTokens(provider)),
      run: () => renewTokens(context, lanes),
    },
    {
      name: 'forgetting what no limit counts any more',
      everyMs: 100 * slow(pollMs),
      isDue: () => lanes.some(hasQuota),
      run: () => forgetUsage(database),
    },
  ];
}

/** What follows from the providers that this relay has. */
function perConfiguration({ context, lanes, dispatcher }: Maintained): Chore[] {
  const { database, settings, timeouts, stopping } = context;
  const { pollMs } = timeouts;
  const isConfigured = settings.providers.length > 0;
  return [
    {
      name: isConfigured ? 'releasing mail that had no provider' : 'holding mail without a provider',
      everyMs: slow(pollMs),
      isDue: ({ mail, isUnconfigured }) => (isConfigured ? isUnconfigured : mail !== null),
      run: () => followConfiguration(context, dispatcher),
    },
    {
      name: 'releasing mail of senders that are free again',
      everyMs: slow(pollMs),
      isDue: ({ hasHolds }) => hasHolds,
      async run() {
        const keys = isConfigured ? lanes.map(({ key }) => key) : [];
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

/** Until all of it is held, or the relays have said what they know of a standby that took over. */
export async function holdBackup(context: DeliveryContext, { wake }: Dispatcher): Promise<void> {
  const { database, log, stopping } = context;
  let held = 0;
  while (!stopping.aborted) {
    const step = await holdRestored(database);
    if (step.state === 'idle') return;
    if (step.state === 'known') {
      if (step.missing) announceMissing(context, step.missing, step.isHeld);
      log.warn({ event: 'promotion-settled', held }, 'Mail goes on at the PostgreSQL that took over');
      return wake();
    }
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
