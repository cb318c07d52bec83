// Mail over providers that take access tokens: from the queue, through a token endpoint and a mail server, over real
// sockets.
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Timeouts } from '../../../relay/delivery/timeouts.ts';
import { freshDatabase } from '../../kit/database.ts';
import { type OAuthServer, startOAuth } from '../../kit/oauth.ts';
import { type Mode, type Provider, startProvider } from '../../kit/provider.ts';
import { until } from '../../kit/until.ts';
import {
  environmentFor,
  eventsOf,
  openWayOut,
  queueMail,
  queueMails,
  recipientsOf,
  settled,
} from './way-out.ts';

const { privateKey, publicKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const clientEmail = 'sender@project.test';
const user = 'mailer@example.com';

const microsoft = (oauth: OAuthServer) => ({
  SMTP_PASSWORD: '',
  SMTP_AUTH: 'oauth2',
  SMTP_OAUTH2_PROVIDER: 'microsoft',
  SMTP_OAUTH2_TENANT: 'acme.test',
  SMTP_OAUTH2_CLIENT_ID: '11111111-2222-3333-4444-555555555555',
  SMTP_OAUTH2_CLIENT_SECRET: 'invented~client.secret',
  SMTP_OAUTH2_TOKEN_URL: oauth.tokenUrl,
});
const refreshing = (oauth: OAuthServer) => ({
  ...microsoft(oauth),
  SMTP_OAUTH2_REFRESH_TOKEN: 'invented-refresh-token-0',
});
const google = (oauth: OAuthServer) => ({
  SMTP_PASSWORD: '',
  SMTP_AUTH: 'oauth2',
  SMTP_OAUTH2_PROVIDER: 'google',
  SMTP_OAUTH2_SERVICE_ACCOUNT: JSON.stringify({
    type: 'service_account',
    client_email: clientEmail,
    private_key: privateKey,
  }),
  SMTP_OAUTH2_TOKEN_URL: oauth.tokenUrl,
});

const quick: Partial<Timeouts> = {
  stoppedProbeMs: [200, 400],
  unreachableProbeMs: [200, 400],
  senderProbeMs: [200, 400],
  tokens: { requestMs: 5_000, refusedSeconds: 0.1, unreachableSeconds: 0.1 },
};

const asMicrosoft = (oauth: OAuthServer) =>
  startProvider({ bearer: oauth, capabilities: { authAfterTls: ['LOGIN', 'XOAUTH2'] } });
const asGoogle = (oauth: OAuthServer) =>
  startProvider({
    bearer: { accepts: oauth.accepts, refusal: 'reason first' },
    capabilities: {
      authAfterTls: ['LOGIN', 'PLAIN', 'XOAUTH2', 'PLAIN-CLIENTTOKEN', 'OAUTHBEARER', 'XOAUTH'],
    },
  });

type Family = {
  readonly name: string;
  readonly endpoint: () => Promise<OAuthServer>;
  readonly server: (oauth: OAuthServer) => Promise<Provider>;
  readonly settings: (oauth: OAuthServer) => Record<string, string>;
};
const families: readonly Family[] = [
  { name: 'client credentials', endpoint: startOAuth, server: asMicrosoft, settings: microsoft },
  { name: 'a refresh token', endpoint: startOAuth, server: asMicrosoft, settings: refreshing },
  {
    name: 'a service account',
    endpoint: () => startOAuth({ style: 'google', user, serviceAccount: { email: clientEmail, publicKey } }),
    server: asGoogle,
    settings: google,
  },
];
const ways = families.flatMap((family) =>
  (['implicit', 'starttls'] as const).map((mode): [string, Mode, Family] => [family.name, mode, family]),
);

describe.each(ways)('%s over %s', (_, mode, { endpoint, server, settings }) => {
  test('sends mail, and goes on when the token ends in the middle', async () => {
    await using database = await freshDatabase();
    await using oauth = await endpoint();
    await using provider = await server(oauth);
    const environment = environmentFor(provider, settings(oauth), mode);
    expect(environment.problems.filter(({ severity }) => severity === 'problem')).toEqual([]);
    await using wayOut = await openWayOut(database.url, environment, quick);
    const first = await queueMail(database.query);
    expect(await settled(database.query, first.queueId)).toMatchObject({ status: 'sent' });
    expect(provider.messages).toMatchObject([{ mode, tls: true, authUser: user }]);

    // As a server does whose session lasts as long as the token, on the session that is open already.
    oauth.expireTokens();
    provider.on('mail', '530 5.7.57 Client not authenticated to send mail', {
      when: ({ connection }) => connection === 1,
    });
    const second = await queueMail(database.query);
    expect(await settled(database.query, second.queueId)).toMatchObject({ status: 'sent', attempts: 1 });
    expect(provider.authAttempts.map(({ accepted }) => accepted)).toEqual([true, false, true]);
    expect(oauth.requests).toHaveLength(2);
    expect(wayOut.alerts).toEqual([]);
  });
});

test('a session is not used for longer than its token lives', async () => {
  await using database = await freshDatabase();
  await using oauth = await startOAuth();
  oauth.lifeSeconds = 2;
  await using provider = await asMicrosoft(oauth);
  await using _ = await openWayOut(database.url, environmentFor(provider, microsoft(oauth)), quick);
  const first = await queueMail(database.query);
  await settled(database.query, first.queueId);
  const [token = ''] = oauth.issued;
  await until(() => !oauth.accepts(user, token), { what: 'the token to end' });
  const second = await queueMail(database.query);
  expect(await settled(database.query, second.queueId)).toMatchObject({ status: 'sent', attempts: 1 });
  expect(new Set(provider.messages.map(({ connection }) => connection)).size).toBe(2);
  expect(provider.authAttempts.every(({ accepted }) => accepted)).toBe(true);
});

test('two relays need one token', async () => {
  await using database = await freshDatabase();
  await using oauth = await startOAuth();
  oauth.next({ kind: 'delay', ms: 500 });
  await using provider = await asMicrosoft(oauth);
  await queueMails(
    database.query,
    Array.from({ length: 200 }, () => ({})),
  );
  const environment = environmentFor(provider, microsoft(oauth));
  await using _one = await openWayOut(database.url, environment, quick);
  await using _two = await openWayOut(database.url, environment, quick);
  await until(() => provider.messages.length === 200, { what: 'all to be sent', timeoutMs: 60_000 });
  expect(oauth.requests).toHaveLength(1);
  expect(provider.peakConnections).toBeGreaterThan(1);
}, 90_000);

test('while the token endpoint is away mail waits, nothing bounces, and one alert tells it', async () => {
  await using database = await freshDatabase();
  await using oauth = await startOAuth();
  await using provider = await asMicrosoft(oauth);
  await oauth.shut();
  const { queueId } = await queueMail(database.query);
  await using wayOut = await openWayOut(database.url, environmentFor(provider, microsoft(oauth)), quick);
  await until(() => wayOut.delivery.report().lanes[0]?.state === 'unreachable', {
    what: 'the lane to close',
  });
  expect(wayOut.delivery.report().lanes[0]).toMatchObject({ cause: 'oauth2-token-unreachable' });
  await oauth.open();
  oauth.next({ status: 503, body: 'busy' }, Number.POSITIVE_INFINITY);
  await until(() => oauth.requests.length >= 3, { what: 'several probes' });
  expect(await recipientsOf(database.query, queueId)).toMatchObject([{ status: 'queued', attempts: 0 }]);
  expect(provider.authAttempts).toEqual([]);
  expect(wayOut.alerts.map(({ kind, cause, stage }) => [kind, cause, stage])).toEqual([
    ['lane-unreachable', 'oauth2-token-unreachable', 'token'],
  ]);
  oauth.behave();
  expect(await settled(database.query, queueId)).toMatchObject({ status: 'sent', attempts: 1 });
  const attempts = (await eventsOf(database.query, queueId)).filter(({ type }) => type === 'attempt');
  expect(attempts[0]?.detail).toMatchObject({ stage: 'token', cause: 'oauth2-token-unreachable' });
});

test('a revoked grant stops the lane with its cause; new variables send what waits', async () => {
  await using database = await freshDatabase();
  await using oauth = await startOAuth();
  await using provider = await asMicrosoft(oauth);
  oauth.revoke();
  await queueMails(
    database.query,
    Array.from({ length: 50 }, () => ({})),
  );
  {
    await using wayOut = await openWayOut(database.url, environmentFor(provider, refreshing(oauth)), quick);
    await until(() => wayOut.delivery.report().lanes[0]?.state === 'stopped', { what: 'the lane to stop' });
    expect(wayOut.delivery.report().lanes[0]).toMatchObject({
      cause: 'oauth2-revoked',
      detail: expect.stringContaining('AADSTS50173'),
    });
    await until(() => oauth.requests.length >= 3, { what: 'probes' });
    expect(wayOut.alerts.map(({ kind, cause }) => [kind, cause])).toEqual([
      ['lane-stopped', 'oauth2-revoked'],
    ]);
    expect(JSON.stringify(wayOut.delivery.report())).not.toContain('invented-refresh');
  }
  expect((await database.query('select from recipient where attempts > 0')).rowCount).toBe(0);
  oauth.refreshTokens.add('invented-refresh-token-1');
  const fixed = { ...refreshing(oauth), SMTP_OAUTH2_REFRESH_TOKEN: 'invented-refresh-token-1' };
  await using _ = await openWayOut(database.url, environmentFor(provider, fixed), quick);
  await until(() => provider.messages.length === 50, { what: 'all to be sent', timeoutMs: 60_000 });
}, 90_000);

test('a new token that the mail server refuses is one AUTH, and the missing right is named', async () => {
  await using database = await freshDatabase();
  await using oauth = await startOAuth();
  oauth.wrongScope = true;
  await using provider = await asMicrosoft(oauth);
  const { queueId } = await queueMail(database.query);
  await using wayOut = await openWayOut(database.url, environmentFor(provider, microsoft(oauth)), {
    ...quick,
    // Long enough to look before the first probe.
    stoppedProbeMs: [6_000, 6_000],
  });
  await until(() => wayOut.delivery.report().lanes[0]?.state === 'stopped', { what: 'the lane to stop' });
  expect(wayOut.delivery.report().lanes[0]).toMatchObject({ cause: 'oauth2-token-refused' });
  expect(provider.authAttempts).toHaveLength(1);
  // The right is given: only another token has it.
  oauth.wrongScope = false;
  expect(await settled(database.query, queueId)).toMatchObject({ status: 'sent', attempts: 1 });
  expect(oauth.requests).toHaveLength(2);
  expect(provider.authAttempts).toHaveLength(2);
});

test('a kept token that is refused is renewed once, on one new connection', async () => {
  await using database = await freshDatabase();
  await using oauth = await startOAuth();
  await using provider = await asGoogle(oauth);
  const environment = environmentFor(provider, microsoft(oauth));
  {
    await using _ = await openWayOut(database.url, environment, quick);
    const { queueId } = await queueMail(database.query);
    await settled(database.query, queueId);
  }
  oauth.expireTokens();
  await using wayOut = await openWayOut(database.url, environment, quick);
  const { queueId } = await queueMail(database.query);
  expect(await settled(database.query, queueId)).toMatchObject({ status: 'sent', attempts: 1 });
  expect(provider.authAttempts.map(({ accepted }) => accepted)).toEqual([true, false, true]);
  expect(oauth.requests).toHaveLength(2);
  expect(wayOut.alerts).toEqual([]);
});

test('a right that is missing shows after DATA: the lane stops although the code is a 4xx', async () => {
  await using database = await freshDatabase();
  await using oauth = await startOAuth();
  await using provider = await asMicrosoft(oauth);
  const reply =
    '430 4.2.0 STOREDRV; mailbox logon failure; STOREDRV.Submission.Exception:ConnectionFailedTransientException.MapiExceptionLogonFailed; Failed to process message due to a transient exception with message Cannot open mailbox';
  const rule = provider.on('dot', reply);
  await queueMails(database.query, [{}, {}, {}]);
  await using wayOut = await openWayOut(database.url, environmentFor(provider, microsoft(oauth)), quick);
  await until(() => wayOut.alerts.length > 0, { what: 'an alert' });
  expect(wayOut.alerts[0]).toMatchObject({ kind: 'lane-stopped', cause: 'oauth2-mailbox-permission' });
  rule.remove();
  await until(() => provider.messages.length === 3, { what: 'all to be sent', timeoutMs: 60_000 });
}, 90_000);

test('SendAsDenied holds that sender, with the fix, and no other', async () => {
  await using database = await freshDatabase();
  await using oauth = await startOAuth();
  await using provider = await asMicrosoft(oauth);
  provider.on(
    'dot',
    '554 5.2.252 SendAsDenied; mailer@example.com not allowed to send as other@example.com; STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed to process message due to a permanent exception with message Cannot submit message.',
    { when: ({ envelope }) => envelope.sender === 'other@example.com' },
  );
  const [held, sent] = await queueMails(database.query, [{ from: 'other@example.com' }, {}]);
  await using wayOut = await openWayOut(database.url, environmentFor(provider, microsoft(oauth)), quick);
  expect(await settled(database.query, held?.queueId ?? '')).toMatchObject({ status: 'held' });
  expect(await settled(database.query, sent?.queueId ?? '')).toMatchObject({ status: 'sent' });
  expect(wayOut.alerts).toMatchObject([{ kind: 'sender-held', sender: 'other@example.com' }]);
});
