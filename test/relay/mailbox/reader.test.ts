// The reader against a real Dovecot.
import { randomUUID } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import type { BounceMailbox } from '../../../deploy/bounce-mailbox.ts';
import type { Alert } from '../../../relay/alerts/alerts.ts';
import { readDeliveries } from '../../../relay/client/email/delivery.ts';
import { startMailboxReader } from '../../../relay/mailbox/reader.ts';
import { usualTimes } from '../../../relay/mailbox/session.ts';
import type { Tokens } from '../../../relay/tokens/tokens.ts';
import { type Dovecot, startDovecot, whyNoDovecot } from '../../kit/dovecot.ts';
import { until } from '../../kit/until.ts';
import { reportAbout, taken } from '../bounces/mail-of-ours.ts';
import { plain } from '../bounces/reports/compose.ts';
import { silentLog, startPostern, type TestPostern } from '../client/postern.ts';

const absent = await whyNoDovecot();
if (absent) console.info(`Skipping the tests against a real Dovecot: ${absent}.`);
const testIt = test.skipIf(absent);

const noTokens: Tokens = {
  tokenFor: () => Promise.reject(new Error('there are none')),
  spoil: () => Promise.reject(new Error('there are none')),
};

const letter = plain(
  { From: 'Eve <eve@example.net>', 'Return-Path': '<eve@example.net>', Subject: 'Undelivered parcel' },
  'Where is my parcel?',
);

const started: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of started.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

async function setUp() {
  const dovecot = await startDovecot();
  started.push(dovecot);
  const postern = await startPostern();
  started.push(postern);
  return { dovecot, postern };
}

function read(postern: TestPostern, dovecot: Dovecot, changes: Partial<BounceMailbox> = {}, times = {}) {
  const alerts: Alert[] = [];
  const counted: string[] = [];
  const reader = startMailboxReader({
    mailbox: {
      host: '127.0.0.1',
      port: dovecot.port,
      tlsMode: 'implicit',
      user: dovecot.user,
      password: dovecot.password,
      folders: [],
      caFile: dovecot.caFile,
      ...changes,
    },
    database: postern.database,
    tokens: noTokens,
    log: silentLog,
    instance: randomUUID(),
    alert: (alert) => alerts.push(alert),
    counted: (outcome) => counted.push(outcome),
    // A poll would come long after the test: what is seen was told by IDLE.
    times: { ...usualTimes, pollMs: 1_500, idlePollMs: 3_600_000, ...times },
    leaseMs: 3_000,
  });
  started.push(reader);
  return { reader, alerts, counted };
}

const sent = (postern: TestPostern) => taken(postern, [{ status: 'sent', marked: true }]);

const bounced = (postern: TestPostern, id: string) =>
  until(async () => (await readDeliveries(postern.database, id))[0]?.status === 'bounced', {
    what: 'the mail to be bounced',
  });

const looked = (postern: TestPostern) =>
  until(
    async () =>
      (await postern.db.query('select from bounce_mailbox where last_look_at is not null')).rowCount,
    {
      what: 'a look through the mailbox',
    },
  );

const countOf = async (postern: TestPostern, outcome: string) =>
  (
    await postern.db.query<{ n: number }>(
      'select count(*)::integer as n from bounce_report where outcome = $1',
      [outcome],
    )
  ).rows[0]?.n;

testIt('reads what is there and what comes, and changes nothing else in the mailbox', async () => {
  const { dovecot, postern } = await setUp();
  const [first, second, junk] = [await sent(postern), await sent(postern), await sent(postern)];
  await dovecot.deliver(letter);
  await dovecot.deliver(reportAbout(`Message-ID: ${first.messageId}`).toString());
  await dovecot.deliver(reportAbout(`Message-ID: ${junk.messageId}`).toString(), 'Junk');
  const texts = (folder?: string) =>
    dovecot.contents(folder).then((all) => all.map(({ text }) => text).sort());
  const { counted } = read(postern, dovecot);
  await bounced(postern, first.id);
  await bounced(postern, junk.id);
  await looked(postern);
  await dovecot.deliver(reportAbout(`Message-ID: ${second.messageId}`).toString());
  await dovecot.deliver(letter);
  await bounced(postern, second.id);
  await until(() => counted.length >= 3, { what: 'the last report to be counted' });

  expect(counted).toEqual(['matched', 'matched', 'matched']);
  expect(await texts()).toHaveLength(4);
  for (const { name } of [...(await dovecot.contents()), ...(await dovecot.contents('Junk'))]) {
    // No letter behind the comma: no flag was set.
    expect(name).not.toMatch(/:2,./);
  }
});

testIt('goes on after the server ended the session, and after a restart', async () => {
  const { dovecot, postern } = await setUp();
  const { alerts } = read(postern, dovecot);
  await looked(postern);
  for (const disturb of [() => dovecot.kick(), () => dovecot.restart()]) {
    await disturb();
    const { id, messageId } = await sent(postern);
    await dovecot.deliver(reportAbout(`Message-ID: ${messageId}`).toString());
    await bounced(postern, id);
  }
  expect(alerts).toEqual([]);
});

testIt('counts every report once, also when the server gives all mail new numbers', async () => {
  const { dovecot, postern } = await setUp();
  const { id, messageId } = await sent(postern);
  await dovecot.deliver(reportAbout(`Message-ID: ${messageId}`).toString());
  await dovecot.deliver(reportAbout('Message-ID: <nobody@example.org>').toString());
  const { alerts, counted } = read(postern, dovecot);
  await bounced(postern, id);
  await looked(postern);
  const validity = () => postern.db.query("select uid_validity from bounce_folder where folder = 'INBOX'");
  const before = (await validity()).rows;
  await dovecot.renumber();
  await until(async () => JSON.stringify((await validity()).rows) !== JSON.stringify(before), {
    what: 'the mailbox to be read with its new numbers',
  });
  await postern.db.query(
    `insert into suppression (id, address, digest, reason, source)
     select gen_random_uuid(), n || '@example.com', sha256(n::text::bytea), 'bounce', 'report' from generate_series(1, 50) n`,
  );
  await postern.db.query(`delete from suppression where address like 'r%'`);
  const later = await sent(postern);
  await dovecot.deliver(reportAbout(`Message-ID: ${later.messageId}`).toString());
  await bounced(postern, later.id);
  await until(() => alerts.length > 0, { what: 'an alert: 50 addresses are on the list within the hour' });
  expect(alerts).toMatchObject([{ kind: 'suppressions-limited', words: { title: expect.any(String) } }]);
  expect(counted.sort()).toEqual(['matched', 'matched', 'unmatched']);
  expect(await countOf(postern, 'unmatched')).toBe(1);
});

testIt('two relays share it: one reads, and the other takes over', async () => {
  const { dovecot, postern } = await setUp();
  const [one, other] = [read(postern, dovecot), read(postern, dovecot)];
  const first = await sent(postern);
  await dovecot.deliver(reportAbout(`Message-ID: ${first.messageId}`).toString());
  await bounced(postern, first.id);
  await until(() => one.counted.length + other.counted.length > 0, { what: 'the report to be counted' });
  expect([...one.counted, ...other.counted]).toEqual(['matched']);
  const holder = one.counted.length > 0 ? one : other;
  await holder.reader[Symbol.asyncDispose]();
  const second = await sent(postern);
  await dovecot.deliver(reportAbout(`Message-ID: ${second.messageId}`).toString());
  await bounced(postern, second.id);
  expect(holder.counted).toEqual(['matched']);
});

testIt('moves reports, and only these, where it is told to', async () => {
  const { dovecot, postern } = await setUp();
  await dovecot.deliver(letter);
  const { id, messageId } = await sent(postern);
  await dovecot.deliver(reportAbout(`Message-ID: ${messageId}`).toString());
  read(postern, dovecot, { moveTo: 'Reports' });
  await bounced(postern, id);
  await until(async () => (await dovecot.contents('Reports')).length === 1, {
    what: 'the report to be moved',
  });
  const left = await dovecot.contents();
  expect(left).toHaveLength(1);
  expect(left[0]?.text).toContain('Where is my parcel?');
});

testIt('tells once that the login is refused, and reads on when it is right', async () => {
  const { dovecot, postern } = await setUp();
  const { alerts, reader } = read(postern, dovecot, { password: 'wrong-horse-battery' });
  await until(() => alerts.length > 0, { what: 'an alert' });
  expect(alerts).toMatchObject([{ kind: 'mailbox-failing', cause: 'imap-sign-in', stage: 'auth' }]);
  const { rows } = await postern.db.query(
    'select state, cause, failures, next_try_at > now() as waits from bounce_mailbox',
  );
  expect(rows).toEqual([{ state: 'failing', cause: 'imap-sign-in', failures: 1, waits: true }]);
  await reader[Symbol.asyncDispose]();
  expect(alerts).toHaveLength(1);

  await postern.db.query('update bounce_mailbox set next_try_at = now()');
  const { id, messageId } = await sent(postern);
  await dovecot.deliver(reportAbout(`Message-ID: ${messageId}`).toString());
  read(postern, dovecot);
  await bounced(postern, id);
  await until(
    async () => (await postern.db.query("select from bounce_mailbox where state = 'reading'")).rowCount,
    {
      what: 'the mailbox to be well again',
    },
  );
});

testIt('asks for TLS where the connection begins in clear, and reads the folders it is told', async () => {
  const { dovecot, postern } = await setUp();
  const { id, messageId } = await sent(postern);
  await dovecot.deliver(reportAbout('Message-ID: <nobody@example.org>').toString());
  await dovecot.deliver(reportAbout(`Message-ID: ${messageId}`).toString(), 'Junk');
  const { counted } = read(postern, dovecot, {
    port: dovecot.clearPort,
    tlsMode: 'starttls',
    folders: ['Junk'],
  });
  await bounced(postern, id);
  await looked(postern);
  expect(counted).toEqual(['matched']);
});

testIt('does not believe a certificate that nobody vouches for', async () => {
  const { dovecot, postern } = await setUp();
  const other = await startDovecot();
  started.push(other);
  read(postern, dovecot, { caFile: other.caFile });
  await until(
    async () =>
      (await postern.db.query("select from bounce_mailbox where cause = 'imap-unreachable'")).rowCount,
    {
      what: 'the mailbox to be out of reach',
    },
  );
});

testIt('a mail that cannot be read is counted and leaves the way free', async () => {
  const { dovecot, postern } = await setUp();
  const { id, messageId } = await sent(postern);
  const nested = Array.from(
    { length: 400 },
    (_, at) => `Content-Type: multipart/report; boundary="b${at}"\n\n--b${at}\n`,
  ).join('');
  await dovecot.deliver(`From: MAILER-DAEMON@example.net\nReturn-Path: <>\n${nested}`);
  await dovecot.deliver(reportAbout(`Message-ID: ${messageId}`).toString());
  const { counted } = read(postern, dovecot);
  await bounced(postern, id);
  await until(() => counted.length === 2, { what: 'both to be counted' });
  // A server under load may deliver the second one first.
  expect(counted.sort()).toEqual(['matched', 'unreadable']);
});

testIt('a mailbox full of other mail is looked through once', async () => {
  const { dovecot, postern } = await setUp();
  for (let n = 0; n < 500; n++) await dovecot.deliver(letter);
  const { id, messageId } = await sent(postern);
  await dovecot.deliver(reportAbout(`Message-ID: ${messageId}`).toString());
  const { counted } = read(postern, dovecot);
  await bounced(postern, id);
  await looked(postern);
  const { rows } = await postern.db.query(
    "select last_uid::integer from bounce_folder where folder = 'INBOX'",
  );
  expect(rows).toEqual([{ last_uid: 501 }]);
  expect(counted).toEqual(['matched']);
});
