// The mailbox of a provider that takes access tokens: a real Dovecot that asks a token endpoint about them.
import { randomUUID } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { readRelayEnvironment } from '../../../deploy/environment.ts';
import type { Alert } from '../../../relay/alerts/alerts.ts';
import { readDeliveries } from '../../../relay/client/email/delivery.ts';
import { examineMailbox } from '../../../relay/mailbox/examine-mailbox.ts';
import { startMailboxReader } from '../../../relay/mailbox/reader.ts';
import { usualTimes } from '../../../relay/mailbox/session.ts';
import { type OAuth2Provider, openTokens } from '../../../relay/tokens/tokens.ts';
import { type Dovecot, startDovecot, whyNoDovecot } from '../../kit/dovecot.ts';
import { type OAuthServer, startOAuth } from '../../kit/oauth.ts';
import { until } from '../../kit/until.ts';
import { reportAbout, taken } from '../bounces/mail-of-ours.ts';
import { silentLog, startPostern } from '../client/postern.ts';

const absent = await whyNoDovecot();
const user = 'mailer@example.com';

const started: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of started.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

const kept = <T extends AsyncDisposable>(each: T): T => {
  started.push(each);
  return each;
};

const mailboxOf = (dovecot: Dovecot, oauth: OAuthServer) => {
  const { bounceMailbox } = readRelayEnvironment({
    DATABASE_URL: 'postgres://postern:invented@db.internal/postern',
    RELAY_PASSWORD: 'an-invented-relay-password',
    SMTP_HOST: '127.0.0.1',
    SMTP_USER: user,
    SMTP_FROM_EMAIL: user,
    SMTP_CA_FILE: dovecot.caFile,
    SMTP_AUTH: 'oauth2',
    SMTP_OAUTH2_PROVIDER: 'microsoft',
    SMTP_OAUTH2_TENANT: 'acme.test',
    SMTP_OAUTH2_CLIENT_ID: '11111111-2222-3333-4444-555555555555',
    SMTP_OAUTH2_CLIENT_SECRET: 'invented~client.secret',
    SMTP_OAUTH2_TOKEN_URL: oauth.tokenUrl,
    BOUNCE_IMAP_HOST: '127.0.0.1',
    BOUNCE_IMAP_PORT: String(dovecot.port),
  });
  if (!bounceMailbox?.provider) throw new Error('The mailbox should use the token of the provider');
  return { mailbox: bounceMailbox, provider: bounceMailbox.provider as OAuth2Provider };
};

test.skipIf(absent).each(['xoauth2', 'oauthbearer'] as const)(
  'reads by %s; a token that is refused is renewed once, and permission taken back is one alert',
  async (mechanism) => {
    const oauth = kept(await startOAuth({ user }));
    const { introspectionUrl } = oauth;
    const dovecot = kept(await startDovecot({ bearer: { introspectionUrl, mechanisms: [mechanism] } }));
    const postern = kept(await startPostern());
    const { mailbox, provider } = mailboxOf(dovecot, oauth);
    const signal = new AbortController().signal;
    const tokens = openTokens({ database: postern.database, instance: randomUUID(), signal });
    const alerts: Alert[] = [];
    kept(
      startMailboxReader({
        mailbox,
        database: postern.database,
        tokens,
        log: silentLog,
        instance: randomUUID(),
        alert: (alert) => alerts.push(alert),
        times: { ...usualTimes, pollMs: 1_500, idlePollMs: 3_600_000 },
        leaseMs: 3_000,
      }),
    );
    const bounced = async () => {
      const { id, messageId } = await taken(postern, [{ status: 'sent', marked: true }]);
      await dovecot.deliver(reportAbout(`Message-ID: ${messageId}`).toString());
      await until(async () => (await readDeliveries(postern.database, id))[0]?.status === 'bounced', {
        what: 'the mail to be bounced',
      });
    };
    await bounced();
    expect(oauth.issued).toHaveLength(1);

    // The provider ends the session and the token, as it does after an hour.
    oauth.expireTokens();
    await dovecot.kick();
    await bounced();
    expect(oauth.issued).toHaveLength(2);
    expect(alerts).toEqual([]);

    // Reading is not permitted any more, and sending is: the new token is refused as well, and it stays good.
    oauth.introspectionDenies = true;
    await dovecot.kick();
    await until(() => alerts.length > 0, { what: 'an alert' });
    await postern.db.query('update bounce_mailbox set next_try_at = now()');
    await until(
      async () => (await postern.db.query('select from bounce_mailbox where failures = 2')).rowCount,
      { what: 'a second refusal' },
    );
    expect(alerts).toMatchObject([{ kind: 'mailbox-failing', cause: 'imap-sign-in', stage: 'auth' }]);
    const now = await tokens.tokenFor(provider);
    expect('token' in now && oauth.accepts(user, now.token)).toBe(true);
    expect('token' in now && (await examineMailbox(mailbox, { accessToken: now.token })).cause).toBe(
      'imap-sign-in',
    );
    expect((await postern.db.query('select from lane')).rowCount).toBe(0);

    oauth.introspectionDenies = false;
    await postern.db.query('update bounce_mailbox set next_try_at = now()');
    await bounced();
    expect(alerts).toHaveLength(1);
  },
  60_000,
);
