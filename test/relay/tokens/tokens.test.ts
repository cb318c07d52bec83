// Access tokens, from a real endpoint into a real database.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../../deploy/database.ts';
import type { OAuth2Reading } from '../../../deploy/oauth2.ts';
import { openTokens, type TokenResult, type TokenWaits } from '../../../relay/tokens/tokens.ts';
import { judge } from '../../../relay/verdict/verdict.ts';
import { createAuthority, createClientCertificate } from '../../kit/certificate.ts';
import { freshDatabase, type TestDatabase, urlOfProcess } from '../../kit/database.ts';
import { type OAuthServer, type OAuthWishes, startOAuth } from '../../kit/oauth.ts';
import { until } from '../../kit/until.ts';

const clientId = '11111111-2222-3333-4444-555555555555';
const user = 'mailer@example.com';

const appOnly = (oauth: OAuthServer): OAuth2Reading => ({
  provider: 'microsoft',
  grant: 'client-credentials',
  tokenUrl: oauth.tokenUrl,
  tenant: 'acme.test',
  scope: 'https://outlook.office365.com/.default',
  clientId,
  clientSecret: 'invented~client.secret',
});
const delegated = (oauth: OAuthServer): OAuth2Reading => ({
  ...appOnly(oauth),
  grant: 'refresh-token',
  scope: 'https://outlook.office.com/SMTP.Send offline_access',
  refreshToken: 'invented-refresh-token-0',
});

const quick: TokenWaits = { requestMs: 5_000, refusedSeconds: 0.2, unreachableSeconds: 0.2 };

/** What one relay has: its own connection and its own memory. */
function relayOn(database: Database | undefined, oauth2: OAuth2Reading, more: Partial<Relay> = {}) {
  const provider = { name: 'SMTP' as const, user, oauth2, ...(more.caFile && { caFile: more.caFile }) };
  const outcomes: string[] = [];
  const tokens = openTokens({
    database,
    instance: randomUUID(),
    signal: new AbortController().signal,
    waits: more.waits ?? quick,
    asked: (_lane, outcome) => outcomes.push(outcome),
  });
  return {
    outcomes,
    get: (wish?: { instead?: string }) => tokens.tokenFor(provider, wish),
    spoil: (token: string) => tokens.spoil(provider, token),
  };
}
type Relay = { caFile: string; waits: TokenWaits };

const connect = ({ url }: TestDatabase) =>
  openDatabase({ url: urlOfProcess(url, 'relay'), applicationName: 'test tokens' });

const tokenIn = (result: TokenResult) => ('token' in result ? result.token : JSON.stringify(result.failure));
const causeOf = (result: TokenResult) => ('failure' in result ? judge(result.failure).cause : 'a token');

async function start(wishes: OAuthWishes = {}) {
  const clone = await freshDatabase();
  const database = connect(clone);
  const oauth = await startOAuth(wishes);
  return {
    clone,
    database,
    oauth,
    async [Symbol.asyncDispose]() {
      await oauth[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
      await clone[Symbol.asyncDispose]();
    },
  };
}

describe('each grant', () => {
  test('client credentials with a secret', async () => {
    await using here = await start();
    const result = await relayOn(here.database, appOnly(here.oauth)).get();
    expect(here.oauth.accepts(user, tokenIn(result))).toBe(true);
    expect(here.oauth.requests[0]?.form).toMatchObject({
      grant_type: 'client_credentials',
      scope: 'https://outlook.office365.com/.default',
    });
  });

  test('client credentials with a certificate', async () => {
    const certificate = await createClientCertificate();
    await using here = await start({ clientCertificate: certificate.cert });
    const { clientSecret: _, ...setting } = appOnly(here.oauth);
    const result = await relayOn(here.database, { ...setting, certificate }).get();
    expect(here.oauth.accepts(user, tokenIn(result))).toBe(true);
    const other = await createClientCertificate();
    const refused = await relayOn(here.database, { ...setting, certificate: other }).get();
    expect(causeOf(refused)).toBe('oauth2-certificate');
  });

  test('a service account for a mailbox', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    });
    const clientEmail = 'sender@project.test';
    await using here = await start({
      style: 'google',
      user,
      serviceAccount: { email: clientEmail, publicKey },
    });
    const setting: OAuth2Reading = {
      provider: 'google',
      grant: 'service-account',
      tokenUrl: here.oauth.tokenUrl,
      scope: 'https://mail.google.com/',
      serviceAccount: { clientEmail, privateKey },
    };
    const result = await relayOn(here.database, setting).get();
    expect(here.oauth.accepts(user, tokenIn(result))).toBe(true);
    here.oauth.aheadMs = 2 * 3_600_000;
    const late = await relayOn(undefined, setting).get();
    expect(causeOf(late)).toBe('oauth2-clock');
    // The Date field tells whole seconds.
    expect(JSON.stringify(late)).toMatch(/the clock here is (?:719[89]|720[0-9]) s behind/);
  });

  test('over TLS with an authority of its own, and with no other', async () => {
    const authority = await createAuthority();
    const { mkdtemp, writeFile } = await import('node:fs/promises');
    const folder = await mkdtemp('/tmp/postern-oauth-ca-');
    await writeFile(`${folder}/ca.pem`, authority.cert);
    await using here = await start({ tls: await authority.issue() });
    const without = await relayOn(here.database, appOnly(here.oauth)).get();
    expect(causeOf(without)).toBe('oauth2-token-unreachable');
    await until(
      async () =>
        causeOf(await relayOn(here.database, appOnly(here.oauth), { caFile: `${folder}/ca.pem` }).get()) ===
        'a token',
      {
        what: 'the answer to be asked for again',
      },
    );
  });
});

describe('kept', () => {
  test('a restart does not ask again, and the database shows no token', async () => {
    await using here = await start();
    const first = await relayOn(here.database, appOnly(here.oauth)).get();
    const again = await relayOn(here.database, appOnly(here.oauth)).get();
    expect(tokenIn(again)).toBe(tokenIn(first));
    expect([first, again]).toMatchObject([{ isNew: true }, { isNew: false }]);
    expect(here.oauth.requests).toHaveLength(1);
    const { rows } = await here.clone.query('select encode(sealed, $1) as sealed from oauth2_grant', [
      'escape',
    ]);
    expect(JSON.stringify(rows)).not.toContain(tokenIn(first).slice(0, 16));
  });

  test('many relays at once are one request', async () => {
    await using here = await start();
    here.oauth.next({ kind: 'delay', ms: 300 });
    const databases = [here.database, connect(here.clone), connect(here.clone)];
    const relays = databases.map((database) => relayOn(database, appOnly(here.oauth)));
    const results = await Promise.all(relays.flatMap((relay) => [relay.get(), relay.get(), relay.get()]));
    expect(new Set(results.map(tokenIn)).size).toBe(1);
    expect(here.oauth.requests).toHaveLength(1);
    for (const database of databases.slice(1)) await database[Symbol.asyncDispose]();
  });

  test('other settings have a row of their own', async () => {
    await using here = await start();
    await relayOn(here.database, appOnly(here.oauth)).get();
    here.oauth.clientSecrets.add('another invented secret');
    await relayOn(here.database, { ...appOnly(here.oauth), clientSecret: 'another invented secret' }).get();
    expect(here.oauth.requests).toHaveLength(2);
    expect((await here.clone.query('select from oauth2_grant')).rows).toHaveLength(2);
  });

  test('what somebody changed in the row is not believed', async () => {
    await using here = await start();
    const relay = relayOn(here.database, appOnly(here.oauth));
    await relay.get();
    await here.clone.query('update oauth2_grant set sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1)');
    const result = await relayOn(here.database, appOnly(here.oauth)).get();
    expect(result).toMatchObject({ isNew: true });
  });

  test('a relay that was killed while it asked holds nobody up for longer than its lease', async () => {
    await using here = await start();
    const relay = relayOn(here.database, appOnly(here.oauth));
    await relay.get();
    await here.clone.query(
      `update oauth2_grant set renew_at = now(), expires_at = now(), taken_by = gen_random_uuid(), taken_until = now() + interval '1 second'`,
    );
    const result = await relayOn(here.database, appOnly(here.oauth)).get();
    expect(result).toMatchObject({ isNew: true });
  });
});

describe('renewed', () => {
  test('at 80 % of its life, and the old one serves while the endpoint is away', async () => {
    await using here = await start();
    const relay = relayOn(here.database, appOnly(here.oauth));
    const first = await relay.get();
    const { rows } = await here.clone.query<{ part: number }>(
      'select extract(epoch from renew_at - now())::float8 / extract(epoch from expires_at - now())::float8 as part from oauth2_grant',
    );
    expect(rows[0]?.part).toBeCloseTo(0.8, 1);
    await here.clone.query('update oauth2_grant set renew_at = now()');
    here.oauth.next({ status: 503, body: 'busy' });
    const second = relayOn(here.database, appOnly(here.oauth));
    expect(tokenIn(await second.get())).toBe(tokenIn(first));
    expect(second.outcomes).toEqual(['unreachable']);
    await until(async () => tokenIn(await second.get()) !== tokenIn(first), { what: 'another token' });
  });

  test.each(['number', 'string', 'missing'] as const)('a life that is a %s', async (as) => {
    await using here = await start();
    here.oauth.lifeAs = as;
    const result = await relayOn(here.database, appOnly(here.oauth)).get();
    const seconds = 'endsAt' in result ? (result.endsAt - performance.now()) / 1_000 : 0;
    expect(seconds).toBeGreaterThan(2_900);
    expect(seconds).toBeLessThan(3_700);
  });

  test('when the mail server refuses it, once for everybody', async () => {
    await using here = await start();
    const [one, two] = [
      relayOn(here.database, appOnly(here.oauth)),
      relayOn(here.database, appOnly(here.oauth)),
    ];
    const old = tokenIn(await one.get());
    await two.get();
    const results = await Promise.all([
      one.get({ instead: old }),
      two.get({ instead: old }),
      one.get({ instead: old }),
    ]);
    expect(new Set(results.map(tokenIn)).size).toBe(1);
    expect(here.oauth.requests).toHaveLength(2);
    await one.spoil(tokenIn(results[0] as TokenResult));
    expect(await one.get()).toMatchObject({ isNew: true });
    // Only the one that is there can be spoilt.
    await two.spoil(old);
    expect(await relayOn(here.database, appOnly(here.oauth)).get()).toMatchObject({ isNew: false });
  });
});

describe('refresh tokens', () => {
  const renewNow = ({ clone }: { clone: TestDatabase }) =>
    clone.query('update oauth2_grant set renew_at = now(), expires_at = now()');

  test.each(['none', 'old stays', 'once'] as const)('rotation: %s', async (rotation) => {
    await using here = await start();
    here.oauth.rotation = rotation;
    for (let restart = 0; restart < 3; restart++) {
      expect(await relayOn(here.database, delegated(here.oauth)).get()).toMatchObject({ isNew: true });
      await renewNow(here);
    }
    const sent = here.oauth.requests.map(({ form }) => form.refresh_token);
    expect(new Set(sent).size).toBe(rotation === 'none' ? 1 : 3);
    expect(here.oauth.requests.every(({ form }) => form.scope?.includes('SMTP.Send'))).toBe(true);
  });

  test('the newest is revoked, the one before is not', async () => {
    await using here = await start();
    await relayOn(here.database, delegated(here.oauth)).get();
    here.oauth.refreshTokens.clear();
    here.oauth.refreshTokens.add('invented-refresh-token-0');
    await renewNow(here);
    expect(await relayOn(here.database, delegated(here.oauth)).get()).toMatchObject({ isNew: true });
  });

  test('a new one in the settings is used at once', async () => {
    await using here = await start();
    await relayOn(here.database, delegated(here.oauth)).get();
    here.oauth.revoke();
    here.oauth.refreshTokens.add('invented-refresh-token-1');
    await renewNow(here);
    expect(causeOf(await relayOn(here.database, delegated(here.oauth)).get())).toBe('oauth2-revoked');
    const fixed = { ...delegated(here.oauth), refreshToken: 'invented-refresh-token-1' };
    expect(causeOf(await relayOn(here.database, fixed).get())).toBe('a token');
  });

  test('a rotated one is stored before it is used, though the database is away for a moment', async () => {
    await using here = await start();
    here.oauth.rotation = 'once';
    const relay = relayOn(here.database, delegated(here.oauth));
    await relay.get();
    await renewNow(here);
    // What a sequence counts stays counted when its transaction fails.
    await here.clone.query('create sequence tries; grant usage on sequence tries to public');
    await here.clone.query(
      `create function fail() returns trigger language plpgsql as $$ begin perform nextval('tries'); raise exception 'not now' using errcode = '57014'; end $$`,
    );
    await here.clone.query(
      'create trigger fails before update of sealed on oauth2_grant for each row execute function fail()',
    );
    let isDone = false;
    const waiting = relayOn(here.database, delegated(here.oauth))
      .get()
      .finally(() => {
        isDone = true;
      });
    await until(
      async () =>
        Number((await here.clone.query<{ n: string }>('select last_value as n from tries')).rows[0]?.n) >= 3,
      { what: 'three tries to store it' },
    );
    expect(here.oauth.requests).toHaveLength(2);
    expect(isDone).toBe(false);
    await here.clone.query('drop trigger fails on oauth2_grant');
    await waiting;
    await renewNow(here);
    expect(causeOf(await relayOn(here.database, delegated(here.oauth)).get())).toBe('a token');
  });
});

describe('an endpoint that does not do what it should', () => {
  test.each([
    ['a fault', { status: 503, body: 'busy' }, 'oauth2-token-unreachable', 'retry'],
    [
      'a page',
      { status: 502, body: '<html>535 5.7.8 Bad gateway</html>' },
      'oauth2-token-unreachable',
      'retry',
    ],
    [
      'too much',
      { status: 429, body: '{"error":"invalid_client"}', headers: { 'retry-after': '1' } },
      'oauth2-token-unreachable',
      'retry',
    ],
    ['silence', { kind: 'hang' }, 'oauth2-token-unreachable', 'retry'],
    ['a cut', { kind: 'drop' }, 'oauth2-token-unreachable', 'retry'],
    [
      'a redirect',
      { status: 307, body: '', headers: { location: 'http://127.0.0.1:1/' } },
      'oauth2-token-unreachable',
      'retry',
    ],
    ['no token', { status: 200, body: '{"token_type":"Bearer"}' }, 'oauth2-token-unreachable', 'retry'],
    [
      'a token with a line end',
      { status: 200, body: '{"access_token":"a\\r\\nb"}' },
      'oauth2-token-unreachable',
      'retry',
    ],
    [
      'a token that has ended',
      { status: 200, body: '{"access_token":"a","expires_in":0}' },
      'oauth2-token-unreachable',
      'retry',
    ],
    [
      'an expired secret',
      { status: 401, body: '{"error":"invalid_client","error_description":"AADSTS7000222: expired"}' },
      'oauth2-secret-expired',
      'stop',
    ],
    [
      'no consent',
      { status: 400, body: '{"error":"invalid_grant","error_description":"AADSTS65001: consent"}' },
      'oauth2-consent',
      'stop',
    ],
    [
      'no tenant',
      { status: 400, body: '{"error":"invalid_request","error_description":"AADSTS90002: tenant"}' },
      'oauth2-tenant',
      'stop',
    ],
    [
      'a policy',
      { status: 400, body: '{"error":"interaction_required","error_description":"AADSTS53003: blocked"}' },
      'oauth2-policy',
      'stop',
    ],
    [
      'Google without delegation',
      { status: 401, body: '{"error":"unauthorized_client","error_description":"Client is unauthorized"}' },
      'oauth2-delegation',
      'stop',
    ],
    [
      'a client of another',
      {
        status: 401,
        body: '{"error":"invalid_client","error_description":"The OAuth client was not found."}',
      },
      'oauth2-application',
      'stop',
    ],
    ['words we do not know', { status: 400, body: '{"error":"invalid_client"}' }, 'oauth2-config', 'stop'],
  ] as const)('%s', async (_, reaction, cause, verdict) => {
    await using here = await start();
    here.oauth.next(reaction);
    // Only silence has to be waited for.
    const waits = 'kind' in reaction && reaction.kind === 'hang' ? { ...quick, requestMs: 1_000 } : quick;
    const relay = relayOn(here.database, appOnly(here.oauth), { waits });
    const result = await relay.get();
    expect('failure' in result && judge(result.failure)).toMatchObject({
      cause,
      verdict,
      stage: 'token',
      scope: 'credential',
    });
    expect(relay.outcomes).toEqual([verdict === 'stop' ? 'refused' : 'unreachable']);
    // Its next answer is a token: no failure stands for ever.
    await until(async () => causeOf(await relay.get()) === 'a token', { what: 'a token' });
  });

  test('it is not asked again before the time it named, by no relay', async () => {
    await using here = await start();
    here.oauth.next({ status: 429, body: '{}', headers: { 'retry-after': '600' } });
    await relayOn(here.database, appOnly(here.oauth)).get();
    for (const relay of [
      relayOn(here.database, appOnly(here.oauth)),
      relayOn(here.database, appOnly(here.oauth)),
    ])
      expect(causeOf(await relay.get())).toBe('oauth2-token-unreachable');
    expect(here.oauth.requests).toHaveLength(1);
  });

  test('an answer without an end is not read to its end', async () => {
    await using here = await start();
    here.oauth.next({ kind: 'endless' });
    const waits = { ...quick, requestMs: 600_000 };
    const result = await relayOn(here.database, appOnly(here.oauth), { waits }).get();
    expect(result).toMatchObject({
      failure: { symptom: { message: 'The answer is longer than 65536 bytes' } },
    });
  });

  test('whoever asks too often waits for minutes', async () => {
    await using here = await start();
    const description = 'AADSTS50196: The server terminated an operation because it encountered a loop';
    here.oauth.next({
      status: 400,
      body: JSON.stringify({ error: 'invalid_grant', error_description: description }),
    });
    const result = await relayOn(here.database, appOnly(here.oauth)).get();
    expect(causeOf(result)).toBe('oauth2-token-unreachable');
    const { rows } = await here.clone.query<{ s: number }>(
      'select extract(epoch from next_try_at - now())::float8 as s from oauth2_grant',
    );
    expect(rows[0]?.s).toBeGreaterThan(240);
  });

  test('what it repeats of our secrets is taken out', async () => {
    await using here = await start();
    const description = 'AADSTS7000215: invented~client.secret and invented-refresh-token-0 are wrong';
    here.oauth.next({
      status: 401,
      body: JSON.stringify({ error: 'invalid_client', error_description: description }),
    });
    const result = await relayOn(here.database, delegated(here.oauth)).get();
    expect(JSON.stringify(result)).toContain('AADSTS7000215: *** and *** are wrong');
  });
});
