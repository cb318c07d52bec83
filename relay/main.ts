// The relay: takes mail over SMTP, keeps it in PostgreSQL, and hands it to the provider.
// Its success reply (250 … queued as …) promises that the mail is committed with synchronous commit and will be sent,
// or will visibly wait for a person. It never delivers to a mailbox, never sends mail for anybody who is neither
// logged in nor trusted, and never stops accepting because a provider is away or was never configured.
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { listenTo } from '../deploy/bell.ts';
import { openDatabase } from '../deploy/database.ts';
import { readRelayEnvironment, scrubEnvironment } from '../deploy/environment.ts';
import { listenHealth } from '../deploy/health.ts';
import { longestSleepMs, openResting } from '../deploy/idle.ts';
import { measureSleep, openMetrics } from '../deploy/metrics.ts';
import { awaitSchema } from '../deploy/migrate.ts';
import { runProcess } from '../deploy/process.ts';
import { letGoWhenAsleep } from '../deploy/sleep.ts';
import { openAlerts } from './alerts/alerts.ts';
import { tellOfDisabledWebhooks } from './alerts/disabled-webhooks.ts';
import { type Canaries, openCanaries } from './canary/canaries.ts';
import { beatAsleep } from './client/status/heartbeat.ts';
import { type Delivery, startDelivery } from './delivery/delivery.ts';
import { detectPlatform, isInContainer } from './doctor/platform.ts';
import { type Preflight, startPreflight } from './doctor/preflight.ts';
import { watchDomains } from './doctor/watch-domains.ts';
import { openHeartbeats } from './heartbeats.ts';
import { measureMailbox } from './mailbox/measures.ts';
import { startMailboxReader } from './mailbox/reader.ts';
import { countTokenRequests, measureQueue } from './measures.ts';
import { describeRelay, senderRules } from './self-description.ts';
import { storeCauses } from './store-causes.ts';
import { readCertificate } from './submission/certificate.ts';
import { listenSubmission, type SubmissionListener } from './submission/listen.ts';
import { measureSuppressions } from './suppression-measures.ts';
import { openTokens } from './tokens/tokens.ts';
import { whereToType } from './verdict/where-to-type.ts';

/** With IDLE=sleep: delivery reports are read at least so often. */
const longestUnreadMs = 6 * 60 * 60_000;

await runProcess(
  'relay',
  () => {
    const environment = readRelayEnvironment(process.env);
    // Said before anything listens, with the names of the variables.
    if (environment.relayTls) readCertificate(environment.relayTls);
    scrubEnvironment(process.env, 'relay');
    return environment;
  },
  // Long because it starts the parts of the process one after the other, and each needs those before it.
  async ({ environment, log, resources, signal }) => {
    const instance = randomUUID();
    let fallAsleep: () => Promise<number | undefined> = async () => undefined;
    let beatNow = () => {};
    const resting = resources.use(
      openResting(environment.idle, [environment.workerDoor], {
        log,
        fallAsleep: () => fallAsleep(),
        saysOther: () => beatNow(),
      }),
    );
    const { sleep } = resting;
    const database = resources.use(
      openDatabase({
        ...environment.database,
        applicationName: 'postern relay',
        max: 16,
        plansOnce: true,
        log,
        mayPause: environment.idle.mode === 'sleep',
      }),
    );
    letGoWhenAsleep(sleep, database);
    // Answers before the schema is there, so that whoever waits for the migration sees a process that lives.
    let submission: SubmissionListener | undefined;
    let preflight: Preflight | undefined;
    let delivery: Delivery | undefined;
    const metrics = openMetrics('relay', log, sleep);
    measureSleep(metrics, sleep);
    measureQueue(metrics, database, () => delivery?.report());
    const suppressions = measureSuppressions(metrics);
    resources.use(
      await listenHealth({
        port: environment.healthPort,
        log,
        metrics: () => metrics.text(),
        knocked: sleep.knocked,
        async ready() {
          if (!submission) return { ready: false, reason: 'not listening' };
          if (!sleep.isAsleep) await database.query('select 1');
          const { sessions, waiting } = submission;
          // A provider that is away is no reason to be sent no mail: it is kept.
          return {
            ready: true,
            sessions,
            waiting,
            mail: preflight?.report() ?? 'not examined yet',
            ...(sleep.isAsleep && { asleep_since: sleep.since }),
          };
        },
      }),
    );
    await awaitSchema(database, { log, signal });

    const platform = detectPlatform(process.env, { inContainer: isInContainer() });
    for (const { variable, severity, problem, fix } of environment.problems) {
      log[severity === 'problem' ? 'error' : 'warn'](
        { variable, fix, where: whereToType(platform.id, [variable]) },
        `${variable} ${problem}`,
      );
    }
    if (environment.providers.length > 0) log.info('Email configured (SMTP). Sending enabled.');
    else log.warn(`Email NOT configured. Missing: ${environment.missing.join(', ') || 'nothing, see above'}`);

    await storeCauses(database, { host: environment.providers[0]?.host, platform: platform.id });

    const alerts = resources.use(
      openAlerts({
        log,
        url: environment.alertWebhookUrl,
        secret: environment.alertWebhookSecret,
        relayPassword: environment.relayPassword,
        metrics,
        place: (lane) => ({
          host: environment.providers.find(({ name }) => name === lane)?.host,
          platform: platform.id,
        }),
      }),
    );
    const lanes = environment.providers.map(({ name }) => name);
    const asked = countTokenRequests(metrics, lanes);
    const tokens = openTokens({ database, instance, signal, asked });
    const heartbeats = openHeartbeats(instance, () => ({
      ...describeRelay(
        environment,
        platform.id,
        delivery?.report() ?? { lanes: [], routes: [] },
        preflight?.report(),
      ),
      ...resting.says(),
    }));
    const started = await startDelivery({
      database,
      environment,
      log,
      instance,
      metrics,
      suppressed: suppressions.byReply,
      tokens,
      alert: alerts.raise,
      beat: heartbeats.beatWhenDue,
      sleep,
    });
    delivery = started;
    beatNow = () => {
      heartbeats.hasten();
      started.look();
    };
    // Both at once: each needs most of the time a stopping process has, and neither waits for the other. What is
    // accepted while delivery has ended is committed, and the next relay finds it.
    const stops: AsyncDisposable[] = [started];
    resources.defer(async () => {
      submission = undefined;
      await Promise.all(stops.map((stop) => stop[Symbol.asyncDispose]()));
    });
    // A relay nobody knows of is none.
    await heartbeats.beat(database);
    submission = await listenSubmission({
      settings: environment,
      allowedSenders: senderRules(environment),
      hostname: hostname(),
      database,
      log,
      metrics,
      handOff: started.offer,
      sleep,
      committed(mails, isWaiting) {
        started.took(mails);
        if (isWaiting) started.wake();
      },
    });
    stops.push(submission);
    let canaries: Canaries | undefined;
    if (environment.bounceMailbox) {
      canaries = openCanaries({ environment, database, log, queued: started.wake, sleep });
      stops.push(
        canaries,
        startMailboxReader({
          mailbox: environment.bounceMailbox,
          database,
          tokens,
          log,
          instance,
          alert: alerts.raise,
          counted: measureMailbox(metrics, database),
          suppressed: suppressions.byReport,
          canaries,
          sleep,
        }),
      );
    }
    preflight = startPreflight({
      environment,
      database,
      log,
      instance,
      platform,
      tokens,
      alert: alerts.raise,
      sleep,
    });
    stops.push(preflight);
    const domains = watchDomains({
      environment,
      database,
      log,
      alert: alerts.raise,
      isStandIn: () => preflight?.report()?.stand_in,
      sleep,
    });
    stops.push(domains);
    const heard = (about: string) => {
      sleep.knocked();
      started.look();
      if (about === 'mail') return;
      preflight?.lookForRequests();
      domains.look();
      submission?.lookAtKeys();
      canaries?.look();
      void tellOfDisabledWebhooks({ database, log, alert: alerts.raise, lane: lanes[0] ?? 'SMTP' });
    };
    resources.use(listenTo('relay', database, heard, sleep));
    fallAsleep = async () => {
      const dueInMs = Math.min(
        (await started.dueInMs()) ?? longestSleepMs,
        environment.bounceMailbox ? longestUnreadMs : longestSleepMs,
      );
      if (dueInMs <= environment.idle.afterMs) return undefined;
      return (await beatAsleep(database, instance, dueInMs)) ? dueInMs : undefined;
    };
    log.info(
      { event: 'started', port: submission.port, tlsPort: submission.tlsPort, instance },
      'Relay listening',
    );
  },
);
