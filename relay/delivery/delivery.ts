// The way out: takes mail from the queue for free connections, sees that it is carried, and watches over leases,
// lanes and holds. One of these runs in every relay; what they must agree on is in the database.
import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { type Database, isUnavailable } from '../../deploy/database.ts';
import type { Log } from '../../deploy/log.ts';
import type { Metrics } from '../../deploy/metrics.ts';
import { every } from '../../deploy/repeat.ts';
import type { Alert } from '../alerts/alerts.ts';
import { keepUnknownReply } from '../client/status/unknown-replies.ts';
import { priorities } from '../client/vocabulary.ts';
import {
  announceLanes,
  countSilence,
  distrustRoute,
  holdSender,
  type LaneReading,
  liftHold,
  probeAgain,
  readLanes,
  releaseLifted,
  takeSenderProbe,
} from '../lane-state/lane-state.ts';
import { firstStatusBy } from '../policy/first-status.ts';
import type { Trouble } from '../smtp/session.ts';
import { isUnnamed, templateOf } from '../verdict/unnamed.ts';
import { judge as judgeFailure } from '../verdict/verdict.ts';
import { back, type Carriage, type Carrier, carry } from './attempt/attempt.ts';
import type { Effect } from './attempt/decide.ts';
import { createLane, type Lane, laneKey, wordsOf } from './lanes/lane.ts';
import { forgetUsage, refund, spend } from './lanes/pacing.ts';
import { concernsLane } from './lanes/refusals.ts';
import { leaseSlots, leaveSlots, meetReplicas, shareOf } from './lanes/share.ts';
import { openMeasures } from './measures.ts';
import { writeNotices } from './notices/write.ts';
import { type Claimed, claimDue, claimHeld } from './queue/claim.ts';
import { checkIdentity } from './queue/identity.ts';
import { reapLeases, renewLeases } from './queue/leases.ts';
import { openMarks } from './queue/marks.ts';
import { openSeconds, tickOpen } from './queue/open-time.ts';
import { restored } from './queue/restored.ts';
import { type Change, openResults } from './queue/results.ts';
import { resendUncertain } from './queue/uncertain.ts';
import { type DeliveryReport, reportOf } from './report.ts';
import { type DeliverySettings, type Provider, type Tempo, usualTempo } from './settings.ts';
import { startUpkeep } from './upkeep.ts';

export type Delivery = AsyncDisposable & {
  /** New mail was accepted in this process: an idle system hands it over in milliseconds. */
  wake(): void;
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
  /** Told of what somebody must know. */
  readonly alert: (alert: Alert) => void;
  /** Shortened by tests only. */
  readonly tempo?: Partial<Tempo>;
};

/** Starts delivering. Resolves once the lanes are known to the database. */
export async function startDelivery({
  database,
  environment: settings,
  metrics,
  log,
  instance,
  alert,
  tempo: given,
}: Start): Promise<Delivery> {
  const tempo: Tempo = { ...usualTempo, ...given };
  const stopping = new AbortController();
  const measures = openMeasures(metrics);
  const judge = (provider: Provider, { stage, symptom }: Trouble) =>
    judgeFailure({ stage, symptom: { ...symptom, hostname: symptom.hostname ?? provider.host } });

  // Nobody may be declared dead for not renewing a lease that could not be renewed.
  let reapAfter = performance.now() + tempo.leaseMs;
  const databaseWasAway = () => {
    reapAfter = performance.now() + tempo.leaseMs;
  };

  const marks = openMarks(database);
  const results = openResults(database, log, databaseWasAway);
  // In capture mode nothing leaves, whatever lies in the queue.
  const providers = settings.deliveryMode === 'capture' ? [] : settings.providers;
  const lanes = providers.map((provider) =>
    createLane(provider, {
      database,
      log,
      instance,
      tempo,
      authorities: authoritiesFor(provider),
      judge,
      alert,
      wake: () => void pump(),
    }),
  );
  const carriages = new Set<Carriage>();
  const underWay = new Set<Promise<void>>();
  let waiting: Claimed[] = [];

  const carrier: Carrier = {
    database,
    log,
    settings,
    tempo,
    marks,
    results,
    judge,
    stopping: stopping.signal,
    apply: (lane, mail, effect) => apply(lane, mail, effect, false),
    heard,
    spend: spendOn,
    refund: async (lane, recipients) => {
      if (isLimited(lane)) await trying(() => refund(database, lane.key, recipients));
    },
    isExpired: async ({ ageSeconds, queueId }) =>
      ageSeconds > settings.queueLifetimeSeconds &&
      ((await trying(() => openSeconds(database, queueId))) ?? 0) > settings.queueLifetimeSeconds,
    settled,
  };
  const firstStatus = firstStatusBy(settings);

  let pumping = false;
  /** Settles when no claim is under way; what it brought lies in `waiting` then. */
  let pumped = Promise.withResolvers<void>();
  pumped.resolve();
  let pumpAgain = false;
  let backlog = false;
  /** How long a connection is busy with one mail, lately. */
  let usualMs = 100;

  /**
   * Mail for the connections that are free. While there is a backlog a few more lie ready, so that no connection waits
   * for a claim and one statement claims many: as many as leave within a tenth of a second, because what lies here
   * cannot be overtaken by what is more urgent.
   */
  function howMany(lane: Lane): number {
    if (!backlog) return lane.capacity - waiting.length;
    const busy = lane.capacity + lane.active;
    const ready = Math.ceil(busy * Math.min(Math.max(100 / usualMs, 1), mostAhead));
    return waiting.length > ready / 2 ? 0 : lane.capacity + ready - waiting.length;
  }

  async function pump(): Promise<void> {
    pumpAgain = true;
    if (pumping) return;
    pumping = true;
    pumped = Promise.withResolvers();
    try {
      while (pumpAgain && !stopping.signal.aborted) {
        pumpAgain = false;
        dispatch();
        const lane = lanes.find(({ isOpen }) => isOpen);
        if (!lane) break;
        const limit = howMany(lane);
        if (limit <= 0) continue;
        const { lowestPriority } = lane;
        if (lowestPriority < 0) break;
        const claimed = await claimDue(database, { limit, instance, leaseMs: tempo.leaseMs, lowestPriority });
        backlog = claimed.length >= limit;
        waiting = [...waiting, ...claimed].sort((a, b) => a.priority - b.priority);
        if (!stopping.signal.aborted) dispatch();
        if (claimed.length > 0) pumpAgain = true;
      }
    } catch (error) {
      stumble(error, 'claiming');
    } finally {
      pumping = false;
      pumped.resolve();
    }
  }

  function dispatch(): void {
    const kept: Claimed[] = [];
    for (const mail of waiting) {
      // The usual case in a backlog, and asked for every mail that lies ready.
      if (isFull()) {
        kept.push(mail);
        continue;
      }
      const choice = chooseLane(mail);
      if (mail.tooLate)
        settle(mail, { status: 'expired', cause: 'too-late', detail: 'max_lateness has passed' });
      else if (mail.recipients.some(({ address }) => firstStatus(address).status === 'captured'))
        keepHere(mail);
      else if (choice === 'none') giveBack(mail, lanes.some(({ isOpen }) => isOpen) ? notWelcomeSeconds : 0);
      else if ('hold' in choice) follow(holdOrProbe(mail, choice));
      else if (choice.lane.capacity > 0) start(mail, choice.lane);
      else kept.push(mail);
    }
    waiting = kept;
  }

  /** Whether mail can leave, only not now. */
  const isFull = () => {
    const open = lanes.filter(({ isOpen }) => isOpen);
    return open.length > 0 && open.every(({ capacity }) => capacity <= 0);
  };

  type Held = { readonly lane: Lane; readonly hold: LaneReading['heldSenders'][number] };
  type Choice = { readonly lane: Lane } | Held | 'none';

  /** The first open lane on which the sender is welcome; held when those that are open do not let it pass. */
  function chooseLane(mail: Claimed): Choice {
    const open = lanes.filter((lane, rank) => lane.isOpen && (rank === 0 || lane.permits(mail.headerFrom)));
    const holds = open.map((lane) =>
      lane.reading.heldSenders.find(({ sender }) => sender === mail.sender || sender === mail.headerFrom),
    );
    const free = open[holds.indexOf(undefined)];
    if (free) return { lane: free };
    const [lane] = open;
    const [hold] = holds;
    return lane && hold ? { lane, hold } : 'none';
  }

  /** When the next probe of its sender is due, as it is when a person has just released this mail, the mail is it. */
  async function holdOrProbe(mail: Claimed, { lane, hold }: Held): Promise<void> {
    const { queueId } = mail;
    const [leaseMs] = tempo.senderProbeMs;
    const isProbe =
      lane.capacity > 0 &&
      (await trying(() => takeSenderProbe(database, lane.key, { sender: hold.sender, queueId, leaseMs })));
    if (isProbe && !stopping.signal.aborted) start(mail, lane, probing(lane));
    else if (isProbe) giveBack(mail);
    else settle(mail, { status: 'held', cause: hold.cause, detail: hold.detail });
  }

  function start(mail: Claimed, lane: Lane, by: Carrier = carrier): void {
    const carriage: Carriage = { mail, dotIsOut: false, session: undefined };
    carriages.add(carriage);
    lane.start();
    const startedAt = performance.now();
    const free = once(() => {
      usualMs += (performance.now() - startedAt - usualMs) / 16;
      lane.finish();
      void pump();
    });
    follow(carry(by, lane, carriage, free).finally(() => carriages.delete(carriage)));
  }

  function giveBack(mail: Claimed, delaySeconds = 0): void {
    const changes = mail.recipients.map((recipient) => ({ ...back(mail, recipient), delaySeconds }));
    follow(results.store({ changes, entries: [] }));
  }

  /** Ends a mail, or puts it aside, without a word to the provider. */
  function settle(
    mail: Claimed,
    {
      status,
      cause,
      detail,
    }: { status: 'held' | 'expired' | 'captured'; cause: string | null; detail: string | null },
    recipients = mail.recipients,
  ): void {
    const reason = { reason: cause, reasonDetail: detail };
    follow(
      results.store({
        changes: recipients.map((recipient) => ({
          ...back(mail, recipient),
          status,
          delaySeconds: null,
          ...reason,
        })),
        entries: recipients.map(({ address, ordinal }) => ({
          type: status,
          queueId: mail.queueId,
          emailId: mail.emailId,
          recipient: address,
          ordinal,
          detail: cause === null ? {} : { cause, detail },
        })),
      }),
    );
  }

  /** DELIVERY_MODE may have become stricter since this was accepted: what is not on the list stays here. */
  function keepHere(mail: Claimed): void {
    const [kept, others] = [true, false].map((captured) =>
      mail.recipients.filter(({ address }) => (firstStatus(address).status === 'captured') === captured),
    );
    settle(mail, { status: 'captured', cause: null, detail: null }, kept);
    if (others && others.length > 0) giveBack({ ...mail, recipients: others });
  }

  function follow(work: Promise<unknown>): void {
    const done = work.then(
      () => {},
      (error) => stumble(error, 'storing'),
    );
    underWay.add(done);
    void done.finally(() => underWay.delete(done));
  }

  async function apply(lane: Lane, mail: Claimed, effect: Effect, isProbe: boolean): Promise<boolean> {
    const { kind, judgement, trouble } = effect;
    if (kind === 'hold-sender') {
      // Until the data is seen only the envelope is known; at the dot it is the header that offended.
      const sender = trouble.stage === 'dot' ? mail.headerFrom : mail.sender;
      const detail = wordsOf(trouble);
      const { cause } = judgement;
      const hold = { sender, cause, detail, stage: trouble.stage };
      const isNew = await trying(() =>
        holdSender(database, lane.key, { ...hold, probeMs: tempo.senderProbeMs, isProbe }),
      );
      lane.learnHold(hold);
      if (isNew)
        alert({ kind: 'sender-held', lane: lane.provider.name, cause, stage: trouble.stage, detail, sender });
      return true;
    }
    if (trouble.stage !== 'mail') {
      const concerns = await trying(() =>
        concernsLane(database, {
          lane: lane.key,
          cause: judgement.cause,
          recipient: effect.recipient,
          queueId: mail.queueId,
          routes: lane.provider.routes.map(({ name }) => name),
          isSuspicion: judgement.isSuspicion === true,
        }),
      );
      if (!(concerns ?? kind !== 'suspect-lane')) return kind === 'suspect-lane';
    }
    await trying(() => lane.close(judgement, trouble));
    return true;
  }

  const isLimited = ({ provider }: Lane) =>
    provider.maxPerHour !== undefined || provider.maxPerDay !== undefined;

  async function spendOn(lane: Lane, { priority }: Claimed, recipients: number): Promise<boolean> {
    if (!isLimited(lane)) return true;
    const { maxPerHour: perHour, maxPerDay: perDay } = lane.provider;
    const isUrgent = priority === priorities.immediate;
    const allowance = await trying(() =>
      spend(database, lane.key, { perHour, perDay }, { recipients, isUrgent }),
    );
    if (allowance?.granted) return true;
    lane.pace(priority, allowance?.retryInSeconds ?? 1);
    return false;
  }

  async function settled({ recipients }: Claimed, changes: readonly Change[]): Promise<void> {
    for (const { status, reason = null } of changes) measures.outcome(status, reason);
    await learn(changes);
    // Which of these are owed a notice the database knows; a plain success must not cost a look.
    const wantsSuccess = recipients.some(({ notify }) => notify?.includes('SUCCESS'));
    if (changes.some(({ status }) => failures.includes(status) || (wantsSuccess && status === 'sent'))) {
      await tellSubmitters();
    }
  }

  /** What no rule knew by its words, for a person to look at. */
  async function learn(changes: readonly Change[]): Promise<void> {
    for (const { reason = null, reply = null } of changes) {
      if (reason === null || reply === null || !isUnnamed(reason)) continue;
      measures.unknownReply(reason);
      await trying(() => keepUnknownReply(database, templateOf(reply), reason));
    }
  }

  let telling: Promise<void> | undefined;
  let tellAgain = false;
  /** One at a time, and once more when something was stored meanwhile. */
  function tellSubmitters(): Promise<void> {
    tellAgain = true;
    telling ??= (async () => {
      while (tellAgain && !stopping.signal.aborted) {
        tellAgain = false;
        await writeDueNotices();
      }
    })().finally(() => {
      telling = undefined;
    });
    return telling;
  }

  async function writeDueNotices(): Promise<void> {
    const { from } = settings;
    if (!from) return;
    const remoteMta = settings.providers[0]?.host ?? null;
    const written = await trying(() =>
      writeNotices(database, { from, remoteMta }, (error, queueId) =>
        log.error(
          { err: error, event: 'notice-failed', queueId },
          'A notice to a submitter could not be written yet',
        ),
      ),
    );
    if (written) void pump();
  }

  async function heard(lane: Lane, route: { name: string }, wasSilent: boolean): Promise<void> {
    const silences = lane.reading.routes.find(({ name }) => name === route.name)?.silences ?? 0;
    if (!wasSilent && silences === 0) return;
    const inARow = await trying(() => countSilence(database, lane.key, route.name, wasSilent));
    if ((inARow ?? 0) < silencesThatStop) return;
    const cause = 'final-replies-lost';
    const stopped = await trying(() =>
      distrustRoute(database, lane.key, route.name, {
        state: 'stopped',
        cause,
        holdDownMs: 3 * tempo.holdDownMs,
      }),
    );
    if (stopped) {
      alert({
        kind: 'route-stopped',
        lane: lane.provider.name,
        cause,
        stage: 'dot',
        detail: `${route.name}: ${inARow} mails in a row got no final reply`,
      });
      await look();
    }
  }

  async function trying<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      stumble(error, 'recording what was learnt');
      return undefined;
    }
  }

  function stumble(error: unknown, doing: string): void {
    if (stopping.signal.aborted && isUnavailable(error)) return;
    if (isUnavailable(error)) databaseWasAway();
    log[isUnavailable(error) ? 'warn' : 'error'](
      { err: error, event: 'delivery-stumbled', doing },
      `Delivery could not go on ${doing}`,
    );
  }

  async function look(): Promise<void> {
    const epochs = lanes.map(({ epoch }) => epoch);
    const readings = await readLanes(
      database,
      lanes.map(({ key }) => key),
    );
    for (const [index, lane] of lanes.entries()) {
      const reading = readings.find(({ key }) => key === lane.key);
      if (reading) lane.absorb(reading, epochs[index] ?? 0);
    }
  }

  async function free(lane: Lane, sender: string): Promise<void> {
    const cause = lane.reading.heldSenders.find((hold) => hold.sender === sender)?.cause ?? '';
    const isNews = await liftHold(database, lane.key, sender);
    lane.forgetHold(sender);
    if (isNews) {
      log.info({ event: 'sender-free', lane: lane.provider.name }, 'A sender is welcome again');
      const detail = 'The provider takes this sender again.';
      alert({ kind: 'sender-free', lane: lane.provider.name, cause, stage: 'accepted', detail, sender });
    }
    follow(releaseLifted(database, { signal: stopping.signal, released: () => void pump() }));
  }

  async function probeSenders(lane: Lane): Promise<void> {
    for (const { sender, isProbeDue } of lane.reading.heldSenders) {
      if (!isProbeDue || lane.capacity === 0) continue;
      const [leaseMs] = tempo.senderProbeMs;
      if (!(await takeSenderProbe(database, lane.key, { sender, leaseMs }))) continue;
      const lease = { instance, leaseMs: tempo.leaseMs };
      const mail = await claimHeld(database, { lane: lane.key, sender, ...lease, signal: stopping.signal });
      if (mail) start(mail, lane, probing(lane));
      else await free(lane, sender);
    }
  }

  /** Carries one mail of a held sender, and learns from it whether the provider takes the sender by now. */
  function probing(lane: Lane): Carrier {
    let isRefused = false;
    return {
      ...carrier,
      async apply(of, mail, effect) {
        if (effect.kind === 'hold-sender') isRefused = true;
        return apply(of, mail, effect, true);
      },
      async settled(mail, changes, taken) {
        await carrier.settled(mail, changes, taken);
        if (isRefused) return;
        const isSent = changes.some(({ status }) => status === 'sent');
        const ours = lane.reading.heldSenders.filter(
          ({ sender }) => sender === mail.sender || sender === mail.headerFrom,
        );
        for (const { sender, stage } of ours) {
          // Whatever else was wrong with this mail: at the stage that refused the sender, it passed.
          const isTaken = isSent || (sender === mail.sender && taken.some((passed) => passed === stage));
          if (isTaken) await trying(() => free(lane, sender));
          else if (taken.length > 0) await trying(() => probeAgain(database, lane.key, sender));
        }
      },
    };
  }

  async function mindSlowThings(): Promise<void> {
    await tellSubmitters();
    if (lanes.some(({ isOpen }) => isOpen)) await tickOpen(database);
    if (lanes.some(isLimited)) await forgetUsage(database);
  }

  async function shareConnections(): Promise<void> {
    if (lanes.length === 0) return;
    const busy = waiting.length > 0 || lanes.some(({ active }) => active > 0);
    const replicas = await meetReplicas(database, { instance, busy }, tempo.leaseMs);
    for (const lane of lanes) {
      const total = lane.provider.maxConnections;
      const wanted = shareOf(total, replicas, instance);
      lane.slots = await leaseSlots(database, {
        lane: lane.key,
        instance,
        total,
        wanted,
        inUse: lane.active,
        leaseMs: tempo.leaseMs,
      });
    }
  }

  /** Whoever could not renew its own leases, frozen or cut off, is in no position to declare those of others lost. */
  function mayReap(): boolean {
    const now = performance.now();
    return now > reapAfter && now - renewedAt < tempo.leaseMs * 0.6;
  }

  async function reap(): Promise<void> {
    const { leaseMs, resendMs } = tempo;
    const reaped = await reapLeases(database, { leaseMs, resendMs, policy: settings.uncertainPolicy });
    for (const { queueId, status } of reaped) {
      log.warn({ event: 'lease-lost', queueId, status }, 'The relay that carried this mail is gone');
    }
  }

  let tick = 0;
  async function tend(): Promise<void> {
    try {
      if (tick % slowly === 0) await mindSlowThings();
      await look();
      await shareConnections();
      for (const lane of lanes) {
        lane.trim();
        lane.ease();
        follow(lane.probe(stopping.signal));
        if (lane.isOpen) await probeSenders(lane);
      }
      if (tick % 2 === 0) {
        if (mayReap()) await reap();
        for (const queueId of await resendUncertain(database)) {
          log.warn({ event: 'resend', queueId }, 'No final reply came; sending it once more');
        }
      }
    } catch (error) {
      stumble(error, 'tending');
    }
    tick++;
    void pump();
  }

  let renewedAt = performance.now();
  async function renew(): Promise<void> {
    const tokens = new Set([
      ...[...carriages].map(({ mail }) => mail.token),
      ...waiting.map(({ token }) => token),
    ]);
    const startedAt = performance.now();
    try {
      await renewLeases(database, [...tokens], tempo.leaseMs);
      renewedAt = startedAt;
    } catch (error) {
      stumble(error, 'renewing leases');
    }
  }

  if (await checkIdentity(database)) {
    alert({
      kind: 'database-restored',
      lane: '',
      cause: restored,
      stage: 'config',
      detail:
        'This is another database than before; all mail that waited in it is held until somebody releases it.',
    });
  }
  await announceLanes(
    database,
    settings.providers.map((provider) => ({
      key: laneKey(provider),
      name: provider.name,
      routes: provider.routes,
    })),
  );
  const tending = every(tempo.pollMs, tend);
  const renewing = every(tempo.leaseMs / 3, renew);
  const upkeep = startUpkeep({
    database,
    log,
    missing: settings.providers.length > 0 ? undefined : settings.missing,
    lanes: lanes.map(({ key }) => key),
    pauseMs: slowly * tempo.pollMs,
    signal: stopping.signal,
    wake: () => void pump(),
    stumbled: (error) => stumble(error, 'in its upkeep'),
  });

  return {
    wake: () => void pump(),
    report: () => reportOf(lanes),

    async [Symbol.asyncDispose]() {
      stopping.abort(new Error('This relay is stopping'));
      await Promise.all([tending.stop(), upkeep.stop()]);
      await pumped.promise;
      for (const mail of waiting.splice(0)) giveBack(mail);
      // What has not reached the dot goes back unharmed; what has waits for its final reply.
      for (const { dotIsOut, session } of carriages) if (!dotIsOut) session?.destroy();
      const patience = setTimeout(() => {
        for (const { session } of carriages) session?.destroy();
        results.giveUp();
      }, tempo.stopMs);
      while (underWay.size > 0) await Promise.allSettled(underWay);
      clearTimeout(patience);
      await renewing.stop();
      for (const lane of lanes) lane.trim(true);
      await trying(() => leaveSlots(database, instance));
    },
  };
}

const failures: readonly string[] = ['bounced', 'expired', 'suppressed'];

/** Mails that lie ready for each connection at the most. */
const mostAhead = 8;

/** How long mail waits whose sender no open lane takes. */
const notWelcomeSeconds = 10;

/** What need not be looked at in every tick is looked at in every twentieth. */
const slowly = 20;

/** Mails in a row without a final reply after which a route is not used any more. */
const silencesThatStop = 3;

function authoritiesFor({ caFile }: Provider): string[] {
  return caFile === undefined ? [...rootCertificates] : [...rootCertificates, readFileSync(caFile, 'utf8')];
}

function once(work: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    work();
  };
}
