// The worker: what happens later. It hands mail to the relay when its time has come or when the api could not, and
// keeps house. It promises that nothing due stays behind while the relay is there, and that nothing leaves twice,
// however many workers there are. It never talks to a provider and never decides what a failure means.
import { randomUUID } from 'node:crypto';
import { listenTo } from '../deploy/bell.ts';
import { measureBudgets, openBudget, roomForBodies } from '../deploy/budget.ts';
import { openDatabase } from '../deploy/database.ts';
import { readWorkerEnvironment, scrubEnvironment } from '../deploy/environment.ts';
import { listenHealth } from '../deploy/health.ts';
import { longestSleepMs, openResting } from '../deploy/idle.ts';
import { measureSleep, openMetrics } from '../deploy/metrics.ts';
import { awaitSchema } from '../deploy/migrate.ts';
import { runProcess } from '../deploy/process.ts';
import { openAddressPolicy } from '../deploy/public-address.ts';
import { everyWhileAwake, letGoWhenAsleep } from '../deploy/sleep.ts';
import packageJson from '../package.json' with { type: 'json' };
import { openHandOver } from '../relay/client/outbox/hand-over.ts';
import { largestHandOver } from '../relay/client/outbox/hand-over-email.ts';
import { nextDueInMs } from '../relay/client/outbox/outbox.ts';
import { beat, beatAsleep, slowBeatMs, type WorkerReport } from '../relay/client/status/heartbeat.ts';
import { findDueWebhooks } from '../relay/client/webhook/outgoing.ts';
import { startDrain } from './drain.ts';
import { keepHouse, openHousekeeping, releaseOnceConfigured } from './housekeeping.ts';
import { startJobs } from './jobs.ts';
import { measureHandOvers, measureOutbox } from './measures.ts';
import { unlockDeadWorkers } from './unlock.ts';
import { measureAttempts, measureWebhooks } from './webhooks/measures.ts';
import { startWebhooks } from './webhooks/webhooks.ts';

// While a mail waits for the commit that makes it the relay's, its session has nothing to do. The more mails wait
// together, the fewer commits the relay and PostgreSQL need for them. The relay lets one address have 500 sessions, and
// several workers may share one.
const sessionsEach = 16;
const mostSessions = 128;
/** With IDLE=sleep: it keeps house before it sleeps, unless it did so this short a time ago. */
const houseEveryMs = 60 * 60_000;

await runProcess(
  'worker',
  () => {
    const environment = readWorkerEnvironment(process.env);
    scrubEnvironment(process.env, 'worker');
    return environment;
  },
  // Long because it starts the parts of the process one after the other, and each needs those before it.
  async ({ environment, log, resources, signal }) => {
    const { workerConcurrency: concurrency, workerPollIntervalMs: pollIntervalMs } = environment;
    const sessions = Math.min(concurrency * sessionsEach, mostSessions);
    const retention = {
      bodySeconds: environment.retentionBodySeconds,
      rowsSeconds: environment.retentionRowsSeconds,
    };
    const from = environment.from && { address: environment.from.email, name: environment.from.name };

    const instance = randomUUID();
    let fallAsleep: () => Promise<number | undefined> = async () => undefined;
    let beatNow = () => {};
    const resting = resources.use(
      openResting(environment.idle, [environment.idle.relay], {
        log,
        fallAsleep: () => fallAsleep(),
        saysOther: () => beatNow(),
      }),
    );
    const { sleep } = resting;
    const database = resources.use(
      openDatabase({
        ...environment.database,
        applicationName: 'postern-worker',
        max: concurrency + 5,
        log,
        mayPause: environment.idle.mode === 'sleep',
      }),
    );
    letGoWhenAsleep(sleep, database);
    await awaitSchema(database, { log, signal });

    const handOver = resources.use(
      openHandOver({
        host: environment.relayHost,
        port: environment.relayPort,
        user: environment.relayUser,
        password: environment.relayPassword,
        sessions,
        log,
      }),
    );
    const metrics = openMetrics('worker', log, sleep);
    measureSleep(metrics, sleep);
    const budget = openBudget(roomForBodies(largestHandOver));
    measureBudgets(metrics, { 'hand-overs': budget });
    measureOutbox(metrics, database);
    const drain = resources.use(
      startDrain(
        { database, handOver, budget, log },
        {
          concurrency: sessions,
          pollIntervalMs,
          signal,
          answered: measureHandOvers(metrics),
          sleep,
        },
      ),
    );
    measureWebhooks(metrics, database);
    resources.use(
      startWebhooks({
        database,
        log,
        policy: openAddressPolicy(environment.webhookAllowPrivate),
        scheduleMs: environment.webhookRetryScheduleMs,
        userAgent: `Postern/${packageJson.version}`,
        attempted: measureAttempts(metrics),
        sleep,
      }),
    );
    const heard = () => {
      sleep.knocked();
      void drain.wake();
    };
    resources.use(listenTo('worker', database, heard, sleep));
    const tick = openHousekeeping(database, { retention, log, signal });
    let keptHouseAt = Number.NEGATIVE_INFINITY;
    const housekeeping = async () => {
      using _ = sleep.stayAwake();
      await keepHouse(tick, signal);
      keptHouseAt = performance.now();
    };
    const jobs = resources.use(
      startJobs({
        database,
        log,
        tasks: {
          drain: () => drain.wake(),
          housekeeping,
        },
        sleep,
      }),
    );
    fallAsleep = async () => {
      // While it sleeps its crontab does nothing.
      if (performance.now() - keptHouseAt > houseEveryMs) {
        void housekeeping().catch((error) => log.warn({ err: error }, 'Housekeeping failed'));
        return undefined;
      }
      const dueInMs = Math.min(
        (await nextDueInMs(database)) ?? longestSleepMs,
        ...(await findDueWebhooks(database)).due.map((webhook) => webhook.dueInMs),
        longestSleepMs,
      );
      if (dueInMs <= environment.idle.afterMs) return undefined;
      return (await beatAsleep(database, instance, dueInMs)) ? dueInMs : undefined;
    };

    const report = (): WorkerReport => {
      const { lastSweepMsAgo, handedOver, relayAway } = drain.report();
      return {
        pool: jobs.pool,
        last_sweep_ms_ago: lastSweepMsAgo,
        handed_over: handedOver,
        relay_away: relayAway,
        ...resting.says(),
      };
    };
    // One transaction, because a system at rest does hardly anything but this.
    const atEachBeat = async () => {
      const { dead, released } = await database.transaction(async (tx) => {
        await beat(tx, { instance, process: 'worker', report: report() });
        return {
          // Its schema is there once its runner is.
          dead: jobs.pool === null ? [] : await unlockDeadWorkers(tx),
          released: await releaseOnceConfigured(tx, from),
        };
      });
      if (dead.length > 0) log.warn({ workers: dead }, 'Unlocked the jobs of workers that died');
      if (released > 0) {
        log.info({ released }, 'From address configured; emails that waited for it are due again');
        void drain.wake();
      }
    };
    const beating = everyWhileAwake(sleep, slowBeatMs, () =>
      atEachBeat().catch((error) => log.warn({ err: error }, 'Worker heartbeat failed')),
    );
    resources.defer(() => beating.stop());
    beatNow = beating.now;

    resources.use(
      await listenHealth({
        port: environment.healthPort,
        log,
        knocked: sleep.knocked,
        ready: async () => {
          if (sleep.isAsleep) return { ready: true, asleep_since: sleep.since, ...report() };
          await database.query('select 1');
          return { ready: true, ...report() };
        },
        metrics: () => metrics.text(),
      }),
    );
    log.info({ instance, concurrency, pollIntervalMs }, 'Email scheduler started');
  },
);
