// The endpoint of the kit says no where a real one would: a client that is lenient would pass by everything else.
import { expect, test } from 'vitest';
import { startOAuth } from './oauth.ts';

const ask = async (url: string, form: Record<string, string>) => {
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams(form) });
  return { status: response.status, ...((await response.json()) as Record<string, unknown>) };
};

test('it gives tokens for the right secret only, and a mail server may ask about them', async () => {
  await using oauth = await startOAuth();
  const form = {
    grant_type: 'client_credentials',
    client_id: '11111111-2222-3333-4444-555555555555',
    client_secret: 'invented~client.secret',
    scope: 'https://outlook.office365.com/.default',
  };
  expect(await ask(oauth.tokenUrl, { ...form, client_secret: 'wrong' })).toMatchObject({
    status: 401,
    error: 'invalid_client',
    error_codes: [7000215],
  });
  expect(await ask(oauth.tokenUrl, { ...form, scope: 'Mail.Send' })).toMatchObject({
    error: 'invalid_scope',
  });
  expect(await ask(oauth.tokenUrl, form)).toMatchObject({ status: 200, expires_in: 3599 });
  const [token = ''] = oauth.issued;
  expect(oauth.accepts('anybody', token)).toBe(true);
  oauth.expireTokens();
  expect(oauth.accepts('anybody', token)).toBe(false);
});

test('a refresh token that is used up is refused', async () => {
  await using oauth = await startOAuth({ style: 'google' });
  oauth.rotation = 'once';
  const form = {
    grant_type: 'refresh_token',
    client_id: '11111111-2222-3333-4444-555555555555',
    client_secret: 'invented~client.secret',
    refresh_token: 'invented-refresh-token-0',
  };
  expect(await ask(oauth.tokenUrl, form)).toMatchObject({ refresh_token: expect.any(String) });
  expect(await ask(oauth.tokenUrl, form)).toMatchObject({ status: 400, error: 'invalid_grant' });
});
