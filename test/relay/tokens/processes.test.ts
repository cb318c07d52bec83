// The real processes with OAuth2: what people ask, what is measured, and that no token or secret gets out. What the
// processes write and answer is searched for every token of the endpoint after this file (kit/leftovers.ts).
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { startOAuth } from '../../kit/oauth.ts';
import { startProvider } from '../../kit/provider.ts';
import { startStack } from '../../kit/stack.ts';
import { until } from '../../kit/until.ts';

const secret = 'invented~client.secret';

test('a test email leaves, the endpoint goes away and is named, and a new secret mends what was revoked', async () => {
  await using oauth = await startOAuth();
  oauth.rotation = 'once';
  await using provider = await startProvider({
    bearer: oauth,
    capabilities: { authAfterTls: ['LOGIN', 'XOAUTH2'] },
  });
  const settings = {
    SMTP_PASSWORD: '',
    SMTP_AUTH: 'oauth2',
    SMTP_OAUTH2_PROVIDER: 'microsoft',
    SMTP_OAUTH2_CLIENT_ID: '11111111-2222-3333-4444-555555555555',
    SMTP_OAUTH2_CLIENT_SECRET: secret,
    SMTP_OAUTH2_REFRESH_TOKEN: 'invented-refresh-token-0',
    SMTP_OAUTH2_TOKEN_URL: oauth.tokenUrl,
  };
  await using stack = await startStack({ provider, relay: settings });

  const first = await stack.api.post('/api/v1/test-email', { to: 'ann@example.org' });
  expect(first).toMatchObject({ status: 200, body: { sent: true } });
  expect(oauth.requests).toHaveLength(1);
  const metrics = await (await fetch(`${stack.relay.healthUrl}/metrics`)).text();
  expect(metrics).toMatch(/postern_oauth2_token_requests_total\{[^}]*outcome="granted"[^}]*\} 1/);
  expect((await stack.api.get('/api/v1/email-status')).body).toMatchObject({ configured: true, missing: [] });
  const config = await stack.api.get('/api/v1/test-email/config');
  const told = JSON.stringify([config.body, metrics]);
  for (const word of [secret, ...oauth.issued, ...oauth.refreshTokens]) expect(told).not.toContain(word);
  expect(told).toContain('SMTP_OAUTH2_CLIENT_SECRET');

  // Other processes have never heard of it.
  for (const { process } of [stack.api, stack.worker]) {
    const environment = await readFile(`/proc/${process.pid}/environ`, 'latin1').catch(() => '');
    expect(environment).not.toContain(secret);
  }

  // A restart needs no second token, and a rotated refresh token was not lost.
  await stack.relay.process.stop();
  await stack.relay.start();
  expect((await stack.api.post('/api/v1/test-email', { to: 'ann@example.org' })).body).toMatchObject({
    sent: true,
  });
  expect(oauth.requests).toHaveLength(1);

  oauth.revoke();
  await stack.database.query('update oauth2_grant set renew_at = now(), expires_at = now()');
  await stack.relay.process.stop();
  await stack.relay.start();
  const refused = await until(
    async () => {
      const { body } = await stack.api.post('/api/v1/test-email', { to: 'bob@example.org' });
      return body.stage === 'token' ? body : undefined;
    },
    { what: 'the stage to be named', timeoutMs: 60_000 },
  );
  expect(refused).toMatchObject({
    cause: 'oauth2-revoked',
    fix: expect.stringContaining('doctor -- authorize'),
  });

  const waiting = await stack.api.post('/api/v1/emails', {
    to: ['carl@example.org'],
    subject: 'This waits',
    text: 'Hello.',
  });
  expect(waiting.status).toBe(202);
  oauth.refreshTokens.add('invented-refresh-token-1');
  await stack.relay.process.stop();
  await stack.relay.start({ SMTP_OAUTH2_REFRESH_TOKEN: 'invented-refresh-token-1' });
  await until(() => provider.messages.some(({ raw }) => raw.includes('This waits')), {
    what: 'the waiting mail',
    timeoutMs: 60_000,
  });
}, 180_000);
