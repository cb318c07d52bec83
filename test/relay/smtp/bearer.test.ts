// Signing in with an access token, on a real socket, as Microsoft and Google do it.
import { rootCertificates } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { openSession, type Session } from '../../../relay/smtp/session.ts';
import { usualSmtpTimeouts } from '../../../relay/smtp/timeouts.ts';
import { judge } from '../../../relay/verdict/verdict.ts';
import { type Mode, type Provider, type ProviderWishes, startProvider } from '../../kit/provider.ts';

const user = 'mailer@example.com';
const token = 'an.invented-access_token';
const bearer = (refusal: 'reason first' | 'at once') => ({
  refusal,
  accepts: (name: string, given: string) => name === user && given === token,
});

async function sessionWith(provider: Provider, mode: Mode = 'implicit'): Promise<Session> {
  const opened = await openSession({
    route: {
      name: 'smtp',
      host: provider.host,
      port: mode === 'implicit' ? provider.implicitPort : provider.starttlsPort,
      tlsMode: mode,
    },
    authorities: [...rootCertificates, provider.ca],
    timeoutMs: 10_000,
    timeouts: usualSmtpTimeouts,
    signal: new AbortController().signal,
  });
  if ('failure' in opened) throw new Error(JSON.stringify(opened.failure));
  return opened.session;
}

const offering = (...authAfterTls: string[]): Pick<ProviderWishes, 'capabilities'> => ({
  capabilities: { authAfterTls },
});
const endsAt = performance.now() + 3_600_000;

describe.each(['implicit', 'starttls'] as const)('over %s', (mode) => {
  test.each([
    ['XOAUTH2', ['LOGIN', 'XOAUTH2']],
    ['XOAUTH2', ['LOGIN', 'PLAIN', 'OAUTHBEARER', 'XOAUTH2']],
    ['OAUTHBEARER', ['PLAIN', 'OAUTHBEARER']],
  ])('%s is used where AUTH offers %s', async (mechanism, offered) => {
    await using provider = await startProvider({ bearer: bearer('at once'), ...offering(...offered) });
    const session = await sessionWith(provider, mode);
    expect(await session.signIn({ user, token, endsAt })).toBeUndefined();
    expect(provider.authAttempts).toMatchObject([{ mechanism, user, password: token, accepted: true }]);
    session.close();
  });
});

test.each([
  ['XOAUTH2', ['XOAUTH2']],
  ['OAUTHBEARER', ['OAUTHBEARER']],
])('the reason behind a 334 is read, and the refusal follows (%s)', async (mechanism, offered) => {
  await using provider = await startProvider({ bearer: bearer('reason first'), ...offering(...offered) });
  const session = await sessionWith(provider);
  const failure = await session.signIn({ user, token: 'another', endsAt });
  expect(failure).toMatchObject({
    stage: 'auth',
    symptom: {
      responseCode: 535,
      command: `AUTH ${mechanism}`,
      message: expect.stringContaining('status 400'),
    },
  });
  expect(JSON.stringify(failure)).not.toContain('another');
  // RFC 4954 §6: a refusal leaves the session as it was.
  expect(session.isOpen).toBe(true);
  session.close();
});

test('a refusal at once is one AUTH, too', async () => {
  await using provider = await startProvider({ bearer: bearer('at once'), ...offering('LOGIN', 'XOAUTH2') });
  const session = await sessionWith(provider);
  const failure = await session.signIn({ user, token: 'another', endsAt });
  expect(failure).toMatchObject({ stage: 'auth', symptom: { responseCode: 535, command: 'AUTH XOAUTH2' } });
  expect(provider.authAttempts).toHaveLength(1);
  session.close();
});

test('a server that takes no tokens is sent none', async () => {
  await using provider = await startProvider(offering('LOGIN', 'PLAIN'));
  const session = await sessionWith(provider);
  const failure = await session.signIn({ user, token, endsAt });
  expect(failure && judge(failure)).toMatchObject({ verdict: 'stop', cause: 'auth-mechanism' });
  expect(provider.authAttempts).toEqual([]);
  session.close();
});

test('a name with a comma and an equals sign stays one name (RFC 5801)', async () => {
  const odd = 'a=b,c@example.com';
  const judgeOf = { accepts: (name: string) => name === odd };
  await using provider = await startProvider({ bearer: judgeOf, ...offering('OAUTHBEARER') });
  const session = await sessionWith(provider);
  expect(await session.signIn({ user: odd, token, endsAt })).toBeUndefined();
  session.close();
});

test('a session whose token has ended says so', async () => {
  await using provider = await startProvider({ bearer: bearer('at once') });
  const session = await sessionWith(provider);
  await session.signIn({ user, token, endsAt: performance.now() - 1 });
  expect([session.isOpen, session.isExpired]).toEqual([true, true]);
  session.close();
});

test('a server that knows only HELO is signed in to with a password, as before', async () => {
  await using provider = await startProvider();
  provider.on('ehlo', '502 5.5.1 Command not implemented', { when: ({ command }) => /^EHLO/i.test(command) });
  const session = await sessionWith(provider);
  expect(await session.signIn({ user: provider.user, password: provider.password })).toBeUndefined();
  expect(await session.signIn({ user, token, endsAt })).toMatchObject({ stage: 'auth' });
  session.close();
});
