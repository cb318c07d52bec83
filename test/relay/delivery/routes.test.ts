import { expect, test } from 'vitest';
import { freshDatabase } from '../../kit/database.ts';
import { delay, drop, startProvider } from '../../kit/provider.ts';
import { blackHole } from '../../kit/strangers.ts';
import { until } from '../../kit/until.ts';
import { environmentFor, eventsOf, openWayOut, queueMail, settled } from './way-out.ts';

test('with 465 silently dropped the first mail leaves over 587 within 6 s, later ones at once', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  await using hole = await blackHole();
  const environment = environmentFor(provider, {
    SMTP_HOST: '127.0.0.1',
    SMTP_PORT: String(hole.port),
    SMTP_TLS_MODE: 'implicit',
    SMTP_FAILOVER_PORT: String(provider.starttlsPort),
    SMTP_FAILOVER_TLS_MODE: 'starttls',
    SMTP_TIMEOUT: '30',
  });
  await using wayOut = await openWayOut(database.url, environment);

  const started = performance.now();
  const first = await queueMail(database.query);
  wayOut.delivery.wake();
  await settled(database.query, first.queueId, ['sent']);
  expect(performance.now() - started).toBeLessThan(6_000);

  const events = await eventsOf(database.query, first.queueId);
  expect(events.map(({ type, detail }) => [type, detail.port, detail.verdict, detail.stage])).toEqual([
    ['attempt', hole.port, 'failover', 'tcp'],
    ['attempt', provider.starttlsPort, undefined, 'accepted'],
    ['sent', undefined, undefined, undefined],
  ]);

  const again = performance.now();
  const second = await queueMail(database.query);
  wayOut.delivery.wake();
  await settled(database.query, second.queueId, ['sent']);
  expect(performance.now() - again).toBeLessThan(2_500);
  expect(await eventsOf(database.query, second.queueId)).toHaveLength(2);
});

test('a refused port costs nothing: the next route is tried at once', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  await provider.shut('implicit');
  // Whoever waited for this would wait too long.
  const nextRouteMs = 120_000;
  await using _ = await openWayOut(database.url, environmentFor(provider), { nextRouteMs });
  const { queueId } = await queueMail(database.query);
  expect(await settled(database.query, queueId, ['sent'])).toMatchObject({
    route: `smtp-${provider.starttlsPort}`,
  });
});

test('a failure that no other route heals is what people are told, not the closed port before it', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  await provider.shut('implicit');
  await provider.present({ notAfter: new Date(Date.now() - 1_000) });
  await using wayOut = await openWayOut(database.url, environmentFor(provider));
  const { queueId } = await queueMail(database.query);
  const lane = await until(() => {
    const [reading] = wayOut.delivery.report().lanes;
    return reading?.state !== 'open' && reading;
  });
  expect(lane).toMatchObject({ state: 'stopped', cause: 'tls-expired' });
  // The lane may have been read from the database before whoever closed it goes on.
  await until(() => wayOut.alerts.length > 0, { what: 'an alert' });
  expect(wayOut.alerts).toMatchObject([{ kind: 'lane-stopped', cause: 'tls-expired' }]);
  const attempts = await until(async () => {
    const found = await eventsOf(database.query, queueId);
    return found.length === 2 && found;
  });
  expect(attempts.map(({ detail }) => detail.port)).toEqual([provider.implicitPort, provider.starttlsPort]);
});

test('a route that works again is trusted after three good probes, which spend no login', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  await provider.shut('implicit');
  await using wayOut = await openWayOut(database.url, environmentFor(provider), {
    holdDownMs: 600,
    idleMs: 50,
  });
  const { queueId } = await queueMail(database.query);
  await settled(database.query, queueId, ['sent']);
  expect(wayOut.delivery.report().routes.map(({ state }) => state)).toEqual(['bad', 'good']);
  await provider.open('implicit');
  const logins = provider.authAttempts.length;
  await until(() => wayOut.delivery.report().routes[0]?.state === 'good', {
    what: 'the route to be trusted again',
  });
  expect(provider.authAttempts).toHaveLength(logins);
  expect(provider.connections.filter(({ mode }) => mode === 'implicit').length).toBeGreaterThanOrEqual(3);

  const next = await queueMail(database.query);
  expect(await settled(database.query, next.queueId, ['sent'])).toMatchObject({
    route: `smtp-${provider.implicitPort}`,
  });
});

test('with every route refused mail stays queued, uncounted, and leaves when one is back', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  await provider.shut();
  await using wayOut = await openWayOut(database.url, environmentFor(provider), {
    unreachableProbeMs: [200, 400],
  });
  const { queueId } = await queueMail(database.query);
  await until(() => wayOut.delivery.report().lanes[0]?.state === 'unreachable', {
    what: 'the lane to be unreachable',
  });
  const events = await until(async () => {
    const found = await eventsOf(database.query, queueId);
    return found.length > 0 && found;
  });
  expect(events.map(({ type }) => type)).toEqual(['attempt', 'attempt']);
  await provider.open();
  expect(await settled(database.query, queueId, ['sent'])).toMatchObject({ attempts: 1 });
});

test('the loser of two routes opened beside each other is closed before AUTH', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  provider.on('greeting', delay(600), { mode: 'implicit' });
  await using _ = await openWayOut(database.url, environmentFor(provider), { nextRouteMs: 100 });
  const { queueId } = await queueMail(database.query);
  await settled(database.query, queueId, ['sent']);
  await until(() => provider.connections.every(({ mode, closedAt }) => mode === 'starttls' || closedAt), {
    what: 'the loser to be closed',
  });
  expect(provider.authAttempts).toHaveLength(1);
});

test('without any provider mail is held, and the missing variables are named; with one it is sent', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  const { queueId } = await queueMail(database.query);
  {
    await using _ = await openWayOut(database.url, environmentFor(undefined));
    expect(await settled(database.query, queueId, ['held'])).toMatchObject({
      reason: 'not-configured',
      reasonDetail: 'Missing: SMTP_HOST, SMTP_USER, SMTP_PASSWORD, SMTP_FROM_EMAIL',
    });
  }
  await using _ = await openWayOut(database.url, environmentFor(provider));
  await settled(database.query, queueId, ['sent']);
});

test('an idle session that the provider has closed is not held against the mail', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  await using _ = await openWayOut(database.url, environmentFor(provider));
  const first = await queueMail(database.query);
  await settled(database.query, first.queueId, ['sent']);
  // The next MAIL finds the line dead, as after a provider's idle time-out that nobody saw.
  provider.on('mail', drop, { times: 1 });
  const second = await queueMail(database.query);
  expect(await settled(database.query, second.queueId, ['sent', 'deferred'])).toMatchObject({
    status: 'sent',
    attempts: 1,
  });
});
