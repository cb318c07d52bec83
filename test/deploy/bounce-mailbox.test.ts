import { expect, test } from 'vitest';
import { readRelayEnvironment } from '../../deploy/environment.ts';

const base = {
  DATABASE_URL: 'postgres://postern:invented@db.internal/postern',
  RELAY_PASSWORD: 'an-invented-relay-password',
  SMTP_HOST: 'mail.privateemail.com',
  SMTP_USER: 'mail@acme.test',
  SMTP_PASSWORD: 'an invented password',
  SMTP_FROM_EMAIL: 'mail@acme.test',
};

const read = (changes: Record<string, string>) => readRelayEnvironment({ ...base, ...changes });

test('no mailbox is read until somebody says so', () => {
  expect(read({})).not.toHaveProperty('bounceMailbox');
  expect(read({ BOUNCE_IMAP: 'off' })).not.toHaveProperty('bounceMailbox');
});

test.each([{ BOUNCE_IMAP: 'on' }, { BOUNCE_IMAP_HOST: 'imap.acme.test' }])(
  '%o reads it with the login of the provider',
  (changes) => {
    expect(read(changes).bounceMailbox).toMatchObject({
      smtpHost: 'mail.privateemail.com',
      port: 993,
      tlsMode: 'implicit',
      user: 'mail@acme.test',
      password: 'an invented password',
      folders: [],
    });
  },
);

test.each([
  [{}, 'implicit'],
  [{ BOUNCE_IMAP_PORT: '143' }, 'starttls'],
  [{ BOUNCE_IMAP_PORT: '1143' }, 'implicit'],
  [{ BOUNCE_IMAP_PORT: '1143', BOUNCE_IMAP_TLS_MODE: 'starttls' }, 'starttls'],
])('%o is %s', (changes, tlsMode) => {
  expect(read({ BOUNCE_IMAP: 'on', ...changes }).bounceMailbox).toMatchObject({ tlsMode });
});

test('a login of its own and folders are read', () => {
  expect(
    read({
      BOUNCE_IMAP_HOST: 'imap.acme.test',
      BOUNCE_IMAP_USER: 'bounces@acme.test',
      BOUNCE_IMAP_PASSWORD: 'another password',
      BOUNCE_IMAP_FOLDERS: 'INBOX, Spam',
      BOUNCE_IMAP_MOVE_TO: 'Reports',
    }).bounceMailbox,
  ).toMatchObject({
    host: 'imap.acme.test',
    user: 'bounces@acme.test',
    password: 'another password',
    folders: ['INBOX', 'Spam'],
    moveTo: 'Reports',
  });
});

test('with an access token the provider is asked for it, unless the mailbox has a password', () => {
  const oauth2 = {
    SMTP_HOST: 'smtp.office365.com',
    SMTP_PORT: '587',
    SMTP_AUTH: 'oauth2',
    SMTP_PASSWORD: '',
    SMTP_OAUTH2_PROVIDER: 'microsoft',
    SMTP_OAUTH2_TENANT: 'acme.test',
    SMTP_OAUTH2_CLIENT_ID: '00000000-1111-2222-3333-444444444444',
    SMTP_OAUTH2_CLIENT_SECRET: 'an invented client secret',
    BOUNCE_IMAP: 'on',
  };
  expect(read(oauth2).bounceMailbox).toMatchObject({ provider: { name: 'SMTP' } });
  expect(read(oauth2).bounceMailbox).not.toHaveProperty('password');
  expect(read({ ...oauth2, BOUNCE_IMAP_PASSWORD: 'app password' }).bounceMailbox).toMatchObject({
    password: 'app password',
  });
});

test.each([
  ['RETENTION_ROWS', { BOUNCE_IMAP: 'on', RETENTION_ROWS: '13d' }],
  ['BOUNCE_IMAP_PASSWORD', { BOUNCE_IMAP: 'on', SMTP_PASSWORD: '', SMTP_TLS_MODE: 'none' }],
])('%s is named, and mail leaves all the same', (variable, changes) => {
  const environment = read(changes);
  expect(environment.problems).toContainEqual(expect.objectContaining({ variable, severity: 'warning' }));
  expect(environment.providers).toHaveLength(1);
});

test("a short retention is nobody's business while no mailbox is read", () => {
  expect(read({ RETENTION_ROWS: '13d' }).problems).toEqual([]);
});
