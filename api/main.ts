// The API: HTTP in. A 201 or a 202 means that what was asked for is committed to PostgreSQL, its mail included.
// Mail is handed to the relay after the commit; what cannot be handed over now goes out later and never turns
// an answer into an error. This process never speaks to the provider and does not know its password.
import { randomUUID } from 'node:crypto';
import { measureBudgets, openBudget } from '../deploy/budget.ts';
import { openDatabase, type Queryable } from '../deploy/database.ts';
import { readApiEnvironment, scrubEnvironment } from '../deploy/environment.ts';
import { longestSleepMs, openResting } from '../deploy/idle.ts';
import type { Log } from '../deploy/log.ts';
import { measureSleep, openMetrics } from '../deploy/metrics.ts';
import { awaitSchema } from '../deploy/migrate.ts';
import type { OidcSettings } from '../deploy/oidc.ts';
import { runProcess } from '../deploy/process.ts';
import { everyWhileAwake, letGoWhenAsleep, type Sleep } from '../deploy/sleep.ts';
import packageJson from '../package.json' with { type: 'json' };
import { openLastUse } from '../relay/client/keys/last-use.ts';
import { openHandOver } from '../relay/client/outbox/hand-over.ts';
import { beat, beatAsleep, slowBeatMs } from '../relay/client/status/heartbeat.ts';
import { buildApp } from './app.ts';
import { authenticator } from './authenticate.ts';
import { dashboardPages } from './dashboard/dashboard.ts';
import { healthPages } from './health.ts';
import { bodyBudget } from './json-body.ts';
import { listen } from './listen.ts';
import { allOperations } from './operations.ts';
import { causesPage } from './pages/causes.ts';
import { invitationPages } from './pages/invitation.ts';
import { manualPages } from './pages/manual.ts';
import { metricsPages, requestMetrics } from './pages/metrics.ts';
import { referencePages, referenceSections } from './pages/reference.ts';
import { rateLimiter } from './rate-limit.ts';
import { notOfferedPages } from './resend/not-offered.ts';
import { resendOperations } from './resend/operations.ts';
import { handOverBytes, openSending } from './sending.ts';
import { type CountRefused, measureSignIns } from './sign-in-measures.ts';
import { unsubscribePages } from './unsubscribe/pages.ts';
import { openUnsubscribe } from './unsubscribe/unsubscribe.ts';

// A session waits for the relay's commit with one mail. The more of them wait together, the fewer commits the relay and
// PostgreSQL need for them. The relay lets one address have 500 sessions.
const handOverSessions = 64;

await runProcess(
  'api',
  () => {
    const environment = readApiEnvironment(process.env);
    scrubEnvironment(process.env, 'api');
    return environment;
  },
  // Long because it starts the parts of the process one after the other, and each needs those before it.
  async ({ environment, log, resources, signal }) => {
    const instance = randomUUID();
    let fallAsleep: () => Promise<number | undefined> = async () => undefined;
    let beatNow = () => {};
    const resting = resources.use(
      openResting(environment.idle, [environment.idle.relay, environment.workerDoor], {
        log,
        fallAsleep: () => fallAsleep(),
        saysOther: () => beatNow(),
      }),
    );
    const { sleep } = resting;
    const database = resources.use(
      openDatabase({
        ...environment.database,
        applicationName: 'postern-api',
        max: 16,
        log,
        mayPause: environment.idle.mode === 'sleep',
        // Whoever asks the api for what is in the database has it awake, and through it the others.
        used: sleep.stir,
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
        sessions: handOverSessions,
        log,
      }),
    );

    const heartbeats = await startHeartbeats(database.aside, {
      instance,
      report: () => ({ provider_variables: environment.providerVariables, ...resting.says() }),
      sleep,
      log,
    });
    resources.defer(() => heartbeats.stop());
    beatNow = heartbeats.now;
    // Nothing is due here: whoever asks for something wakes it.
    fallAsleep = async () =>
      (await beatAsleep(database.aside, instance, longestSleepMs)) ? longestSleepMs : undefined;

    const { from } = environment;
    const unsubscribe = await openUnsubscribe(database, environment.publicUrl);
    const onTheWay = openBudget(handOverBytes);
    const sending = openSending({
      database,
      handOver,
      budget: onTheWay,
      from: from && { address: from.email, name: from.name },
      unsubscribe,
      log,
    });
    const operations = allOperations({ ...environment, database, sending });
    const limit = rateLimiter(database);
    const metrics = openMetrics('api', log, sleep);
    measureSleep(metrics, sleep);
    const refused = measureSignIns(metrics);
    const lastUse = resources.use(openLastUse(database, log));
    const authenticate = authenticator(database, environment.apiKey, {
      refused: refused.key,
      used: lastUse.note,
    });
    const budget = bodyBudget(operations);
    measureBudgets(metrics, { bodies: budget, 'hand-overs': onTheWay });
    const app = buildApp({
      budget,
      answered: requestMetrics(metrics),
      operations: [...operations, ...resendOperations(operations, { ...environment, database })],
      pages: [
        healthPages({ database: database.aside, sleep, isStopping: () => signal.aborted }),
        metricsPages(metrics, authenticate),
        invitationPages(),
        unsubscribePages({ database, unsubscribe, limit, log }),
        notOfferedPages(),
        referencePages(operations, {
          version: packageJson.version,
          publicUrl: environment.publicUrl,
        }),
        causesPage(database),
        manualPages(referenceSections(operations, packageJson.version)),
        dashboardPages({
          database,
          password: environment.adminPassword,
          limit,
          log,
          stopping: signal,
          refused: refused.dashboard,
          oidc: await loadOidc(environment, refused.oidc),
        }),
      ],
      database,
      authenticate,
      limit,
      log,
      trustedProxies: environment.trustedProxies,
      corsOrigins: environment.corsOrigins,
    });
    const { port } = resources.use(
      await listen(app, { port: environment.apiPort, bind: environment.apiBind }),
    );
    log.info({ event: 'started', port }, `The API listens on port ${port}`);
  },
);

/** Its library is loaded only where it is used. */
async function loadOidc(
  { oidc: settings, publicUrl }: { oidc?: OidcSettings | undefined; publicUrl: string },
  refused: CountRefused,
) {
  return settings && { settings, publicUrl, refused, ...(await import('./people/oidc/routes.ts')) };
}

/** The first is written when this returns. */
async function startHeartbeats(
  q: Queryable,
  {
    instance,
    report,
    sleep,
    log,
  }: { instance: string; report: () => Readonly<Record<string, unknown>>; sleep: Sleep; log: Log },
) {
  const write = () =>
    beat(q, { instance, process: 'api', report: report() }).catch((error) =>
      log.warn({ err: error }, 'Heartbeat failed'),
    );
  await write();
  return everyWhileAwake(sleep, slowBeatMs, write, { first: 'after a pause' });
}
