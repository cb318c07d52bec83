// What the doctor says of a provider that takes access tokens, and how it helps somebody to get one.
import { randomUUID } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../../deploy/database.ts';
import { authorize } from '../../../relay/doctor/authorize.ts';
import { describe as asText } from '../../../relay/doctor/describe.ts';
import { examine } from '../../../relay/doctor/examine.ts';
import { readSettings } from '../../../relay/doctor/settings.ts';
import { openTokens } from '../../../relay/tokens/tokens.ts';
import { freshDatabase } from '../../kit/database.ts';
import { type OAuthServer, startOAuth } from '../../kit/oauth.ts';
import { type Provider, startProvider } from '../../kit/provider.ts';
import { until } from '../../kit/until.ts';

const platform = { id: 'plain', name: 'a test' } as const;
const signal = new AbortController().signal;
const secret = 'invented~client.secret';

const settings = (oauth: OAuthServer, provider: Provider) => ({
  ...provider.environment(),
  SMTP_PASSWORD: '',
  SMTP_AUTH: 'oauth2',
  SMTP_OAUTH2_PROVIDER: 'microsoft',
  SMTP_OAUTH2_TENANT: 'acme.test',
  SMTP_OAUTH2_CLIENT_ID: '11111111-2222-3333-4444-555555555555',
  SMTP_OAUTH2_CLIENT_SECRET: secret,
  SMTP_OAUTH2_TOKEN_URL: oauth.tokenUrl,
});

async function start() {
  const oauth = await startOAuth();
  const provider = await startProvider({
    bearer: oauth,
    capabilities: { authAfterTls: ['LOGIN', 'XOAUTH2'] },
  });
  return {
    oauth,
    provider,
    async look(database?: Database, changes: Record<string, string> = {}) {
      const tokens = openTokens({ database, instance: randomUUID(), signal });
      const reading = readSettings({ ...settings(oauth, provider), ...changes }, 'plain');
      return examine({ reading, platform, controls: false, tokens });
    },
    async [Symbol.asyncDispose]() {
      await provider[Symbol.asyncDispose]();
      await oauth[Symbol.asyncDispose]();
    },
  };
}

const stepsOf = ({ walks }: Awaited<ReturnType<typeof examine>>, route = 'smtp') =>
  walks
    .find((walk) => walk.route.startsWith(route))
    ?.steps.map(({ stage, outcome }) => `${stage} ${outcome}`);

test('all is well: the token stands before the other stages, and nothing of it is said', async () => {
  await using here = await start();
  const examination = await here.look();
  expect(examination).toMatchObject({ ok: true, signIns: [{ attempts: 1 }] });
  expect(stepsOf(examination)).toEqual([
    'token passed',
    'dns skipped',
    'tcp passed',
    'tls passed',
    'greeting passed',
    'ehlo passed',
    'auth passed',
    'mail passed',
    'rcpt passed',
  ]);
  const said = JSON.stringify(examination) + asText(examination, { colour: false });
  for (const word of [secret, ...here.oauth.issued]) expect(said).not.toContain(word);
});

test('a kept token is not fetched again; one that has ended is renewed, and says so', async () => {
  await using database = await freshDatabase();
  await using opened = openDatabase({ url: database.url, applicationName: 'test' });
  await using here = await start();
  await here.look(opened);
  const kept = await here.look(opened);
  expect(stepsOf(kept)?.[0]).toBe('token skipped');
  here.oauth.expireTokens();
  const renewed = await here.look(opened);
  expect(renewed).toMatchObject({ ok: true, signIns: [{ attempts: 2 }] });
  expect(here.oauth.requests).toHaveLength(2);
});

describe('no token', () => {
  test('the endpoint is away: that is the cause, and the other stages are walked all the same', async () => {
    await using here = await start();
    await here.oauth.shut();
    const examination = await here.look();
    expect(examination.diagnosis).toMatchObject({
      stage: 'token',
      cause: 'oauth2-token-unreachable',
      variables: ['SMTP_OAUTH2_TOKEN_URL', 'SMTP_CA_FILE'],
    });
    expect(stepsOf(examination)).toContain('ehlo passed');
    expect(stepsOf(examination)).toContain('auth not reached');
    expect(here.provider.authAttempts).toEqual([]);
    expect(asText(examination, { colour: false })).toMatch(/^FAILED at token: oauth2-token-unreachable/);
  });

  test('a secret that was copied wrong is named with its variable, and never shown', async () => {
    await using here = await start();
    const wrong = 'an-id-of-a-secret-and-not-its-value';
    const examination = await here.look(undefined, { SMTP_OAUTH2_CLIENT_SECRET: wrong });
    expect(examination.diagnosis).toMatchObject({
      stage: 'token',
      cause: 'oauth2-secret-wrong',
      variables: ['SMTP_OAUTH2_CLIENT_SECRET'],
      reply: expect.stringContaining('AADSTS7000215'),
    });
    expect(JSON.stringify(examination)).not.toContain(wrong);
  });

  test('a closed port does not take the blame', async () => {
    await using here = await start();
    here.oauth.next({ status: 503, body: 'busy' });
    await here.provider.shut();
    expect((await here.look()).diagnosis).toMatchObject({ stage: 'token' });
  });
});

test('the mail server refuses a token that is fine: a right is missing, not the token', async () => {
  await using here = await start();
  here.oauth.wrongScope = true;
  const examination = await here.look();
  expect(examination.diagnosis).toMatchObject({ stage: 'auth', cause: 'oauth2-token-refused' });
  expect(stepsOf(examination)?.[0]).toBe('token passed');
  expect(examination.signIns).toMatchObject([{ attempts: 1 }]);
});

test('SMTP is switched off for the mailbox: told apart from a missing right', async () => {
  await using here = await start();
  here.provider.on(
    'auth',
    '535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.',
  );
  const { diagnosis } = await here.look(undefined, {});
  expect(diagnosis).toMatchObject({ stage: 'auth', cause: 'auth-basic-disabled' });
});

describe('authorize', () => {
  const talk = (more: { isTerminal?: boolean } = {}) => {
    const said: string[] = [];
    const input = new PassThrough();
    return {
      said,
      input,
      text: () => said.join(''),
      conversation: {
        say: (text: string) => void said.push(text),
        input,
        isTerminal: more.isTerminal ?? true,
        platform: 'plain' as const,
        signal,
      },
    };
  };
  const client = {
    SMTP_OAUTH2_CLIENT_ID: '11111111-2222-3333-4444-555555555555',
    SMTP_OAUTH2_CLIENT_SECRET: secret,
  };
  const printed = (text: string) => /SMTP_OAUTH2_REFRESH_TOKEN=(\S+)/.exec(text)?.[1] ?? '';

  test('Microsoft: a code for any browser', async () => {
    await using oauth = await startOAuth();
    const { conversation, text } = talk();
    const source = { ...client, SMTP_OAUTH2_PROVIDER: 'microsoft', SMTP_OAUTH2_TOKEN_URL: oauth.tokenUrl };
    expect(await authorize(source, 'SMTP', conversation)).toBe(true);
    expect(text()).toContain('type the code ABCD-EFGH');
    expect(oauth.refreshTokens.has(printed(text()))).toBe(true);
    expect(oauth.requests[0]?.form.scope).toContain('SMTP.Send');
    expect(text()).not.toContain(oauth.issued[0]);
  });

  test('Google: the browser comes back to this machine', async () => {
    await using oauth = await startOAuth({ style: 'google' });
    const { conversation, text } = talk();
    const source = { ...client, SMTP_OAUTH2_PROVIDER: 'google', SMTP_OAUTH2_TOKEN_URL: oauth.tokenUrl };
    const done = authorize(source, 'SMTP', conversation);
    const page = new URL(
      await until(() => /https:\/\/accounts\.google\.com\S+/.exec(text())?.[0], { what: 'the page' }),
    ).searchParams;
    expect(Object.fromEntries(page)).toMatchObject({
      access_type: 'offline',
      prompt: 'consent',
      scope: 'https://mail.google.com/',
      code_challenge_method: 'S256',
    });
    await fetch(`${page.get('redirect_uri')}/favicon.ico`);
    await fetch(`${page.get('redirect_uri')}/?code=invented&state=${page.get('state')}`);
    expect(await done).toBe(true);
    expect(oauth.refreshTokens.has(printed(text()))).toBe(true);
  });

  test('Google: the address is pasted, and one of another request is refused', async () => {
    await using oauth = await startOAuth({ style: 'google' });
    const { conversation, text, input } = talk();
    const source = { ...client, SMTP_OAUTH2_PROVIDER: 'google', SMTP_OAUTH2_TOKEN_URL: oauth.tokenUrl };
    const done = authorize(source, 'SMTP', conversation);
    await until(() => text().includes('Waiting'), { what: 'the page' });
    input.write('http://127.0.0.1:1/?code=invented&state=forged\n');
    expect(await done).toBe(false);
    expect(oauth.requests).toEqual([]);
  });

  test('a secret is printed to a terminal only, and what is missing is named first', async () => {
    await using oauth = await startOAuth();
    const piped = talk({ isTerminal: false });
    const source = { ...client, SMTP_OAUTH2_PROVIDER: 'microsoft', SMTP_OAUTH2_TOKEN_URL: oauth.tokenUrl };
    expect(await authorize(source, 'SMTP', piped.conversation)).toBe(false);
    const empty = talk();
    expect(await authorize({}, 'SMTP2', empty.conversation)).toBe(false);
    expect(empty.text()).toContain('SMTP2_OAUTH2_PROVIDER, SMTP2_OAUTH2_CLIENT_ID');
    expect(oauth.requests).toEqual([]);
  });

  test('a refusal comes with its advice', async () => {
    await using oauth = await startOAuth();
    const { conversation, text } = talk();
    oauth.next({
      status: 400,
      body: '{"error":"unauthorized_client","error_description":"AADSTS700016: no"}',
    });
    const source = { ...client, SMTP_OAUTH2_PROVIDER: 'microsoft', SMTP_OAUTH2_TOKEN_URL: oauth.tokenUrl };
    expect(await authorize(source, 'SMTP', conversation)).toBe(false);
    expect(text()).toContain('The application does not exist there');
  });
});
