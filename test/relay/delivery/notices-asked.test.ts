// Notices that submitters asked for, or asked not to get (RFC 3461), and notices that no failure of ours may lose.
import { simpleParser } from 'mailparser';
import { expect, test } from 'vitest';
import { openDatabase } from '../../../deploy/database.ts';
import { freshDatabase, type TestDatabase } from '../../kit/database.ts';
import { type Provider, startProvider } from '../../kit/provider.ts';
import { startStack } from '../../kit/stack.ts';
import { until } from '../../kit/until.ts';
import { environmentFor, eventsOf, openWayOut, type QueuedMail, queueMail, settled } from './way-out.ts';

type Asked = { notify?: string; orcpt?: string; ret?: string; envid?: string };

/** A mail whose submitter asked for something; nothing sees it before it is complete. */
async function queueAsked(database: TestDatabase, asked: Asked, mail: QueuedMail = {}) {
  const queued = await queueMail(database.query, { ...mail, status: 'held', reason: 'test' });
  await database.query('update message set ret = $2, envid = $3 where queue_id = $1', [
    queued.queueId,
    asked.ret ?? null,
    asked.envid ?? null,
  ]);
  await database.query(
    `update recipient set notify = $2, orcpt = $3, status = 'queued', next_attempt_at = now(), reason = null
     where queue_id = $1`,
    [queued.queueId, asked.notify ?? null, asked.orcpt ?? null],
  );
  return queued;
}

const noticesAt = (provider: Provider) => provider.messages.filter(({ envelope }) => envelope.sender === '');
const owedIn = async (database: TestDatabase) =>
  (await database.query('select action from notice_owed')).rows;

async function firstNotice(provider: Provider): Promise<string> {
  const notice = await until(() => noticesAt(provider)[0], { what: 'the notice' });
  return notice.raw.toString();
}

test('a failure is reported with what the submitter called the mail and the recipient', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  provider.on('rcpt', '550 5.1.1 User unknown', { times: 1 });
  await using _ = await openWayOut(database.url, environmentFor(provider));
  await queueAsked(database, {
    notify: 'FAILURE',
    orcpt: 'rfc822;old+2Bname@example.org',
    envid: 'order+3D7',
    ret: 'HDRS',
  });
  const raw = await firstNotice(provider);
  expect(raw).toContain('Original-Envelope-Id: order=7\r\nReporting-MTA: dns; ');
  expect(raw).toContain(
    'Original-Recipient: rfc822; old+name@example.org\r\nFinal-Recipient: rfc822; ann@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n',
  );
  expect(raw).toContain('Content-Type: text/rfc822-headers');
  expect(raw).not.toContain('Hello.');
  expect(await owedIn(database)).toEqual([]);
});

test('RET=FULL brings the whole mail back, octet by octet, in parts where it is large', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  provider.on('rcpt', '550 5.1.1 User unknown', { times: 1 });
  await using _ = await openWayOut(database.url, environmentFor(provider));
  const content = `From: mailer@example.com\r\nSubject: Large\r\n\r\n${'Grüße aus Ulm, 100 %\r\n'.repeat(15_000)}`;
  await queueAsked(database, { ret: 'FULL' }, { content });
  const raw = await firstNotice(provider);
  expect(raw).toContain('Content-Type: message/rfc822\r\n');
  expect(raw).toContain(content);
  const parsed = await simpleParser(raw);
  expect(parsed.attachments.map(({ contentType }) => contentType)).toContain('message/rfc822');
});

test('more than a mebibyte is returned as its header, whatever RET says', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  provider.on('rcpt', '550 5.1.1 User unknown', { times: 1 });
  await using _ = await openWayOut(database.url, environmentFor(provider));
  const content = `From: mailer@example.com\r\nSubject: Huge\r\n\r\n${'x'.repeat(998)}\r\n`.concat(
    `${'y'.repeat(998)}\r\n`.repeat(1_100),
  );
  await queueAsked(database, { ret: 'FULL' }, { content });
  const raw = await firstNotice(provider);
  expect(raw).toContain('Subject: Huge');
  expect(raw).not.toContain('yyyy');
});

for (const notify of ['NEVER', 'SUCCESS', 'DELAY']) {
  test(`NOTIFY=${notify}: nobody is told of a failure`, async () => {
    await using database = await freshDatabase();
    await using provider = await startProvider();
    provider.on('rcpt', '550 5.1.1 User unknown', { times: 1 });
    await using _ = await openWayOut(database.url, environmentFor(provider));
    const { queueId } = await queueAsked(database, { notify });
    await settled(database.query, queueId, ['bounced']);
    // Another address: the first is on the suppression list now.
    const next = await queueMail(database.query, { to: ['carol@example.org'] });
    await settled(database.query, next.queueId, ['sent']);
    expect((await database.query('select from message')).rowCount).toBe(2);
    expect(await owedIn(database)).toEqual([]);
  });
}

test('SUCCESS is answered by `relayed` when the provider sends no confirmations', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  await using _ = await openWayOut(database.url, environmentFor(provider));
  const { queueId } = await queueAsked(database, { notify: 'SUCCESS', ret: 'FULL', envid: 'x1' });
  const raw = await firstNotice(provider);
  expect(raw).toContain('Original-Envelope-Id: x1\r\n');
  expect(raw).toMatch(
    /Final-Recipient: rfc822; ann@example\.org\r\nAction: relayed\r\nStatus: 2\.\d\.\d\r\n/,
  );
  // RFC 3461 section 4.3: RET is about failures.
  expect(raw).toContain('text/rfc822-headers');
  expect(provider.commands().filter((line) => /NOTIFY|ENVID|RET=/.test(line))).toEqual([]);
  const told = (await eventsOf(database.query, queueId)).find(({ type }) => type === 'notified');
  expect(told?.detail).toMatchObject({ to: 'mailer@example.com', action: 'relayed' });
});

test('a provider that offers DSN is told what was asked, for each recipient, and there is no notice of ours', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider({ capabilities: { dsn: true } });
  await using _ = await openWayOut(database.url, environmentFor(provider));
  const to = ['ann@example.org', 'bob@example.org'];
  const { queueId } = await queueMail(database.query, { to, status: 'held', reason: 'test' });
  await database.query(`update message set ret = 'FULL', envid = 'a+2Bb' where queue_id = $1`, [queueId]);
  await database.query(
    `update recipient set status = 'queued', next_attempt_at = now(), reason = null,
       notify = case ordinal when 0 then 'SUCCESS,DELAY' end, orcpt = case ordinal when 1 then 'rfc822;b+2Bob@example.org' end
     where queue_id = $1`,
    [queueId],
  );
  await settled(database.query, queueId, ['sent']);
  const commands = provider.commands();
  expect(commands.find((line) => line.startsWith('MAIL'))).toMatch(/ RET=FULL ENVID=a\+2Bb$/);
  expect(commands.filter((line) => line.startsWith('RCPT'))).toEqual([
    'RCPT TO:<ann@example.org> NOTIFY=SUCCESS,DELAY',
    'RCPT TO:<bob@example.org> ORCPT=rfc822;b+2Bob@example.org',
  ]);
  // The next mail on the same session says nothing of it.
  const next = await queueMail(database.query);
  await settled(database.query, next.queueId, ['sent']);
  expect(provider.commands().filter((line) => line.startsWith('MAIL'))[1]).not.toContain('RET');
  expect((await database.query('select from message')).rowCount).toBe(2);
});

test('DELAY: one notice when the mail is still here; held mail is no delay yet, and what was sent is none', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  provider.on('rcpt', '450 4.2.1 Mailbox busy', {
    when: ({ recipient }) => recipient === 'busy@example.org',
  });
  await using wayOut = await openWayOut(database.url, environmentFor(provider, { RETRY_SCHEDULE: '1h' }));
  const late = await queueAsked(database, { notify: 'DELAY' }, { to: ['busy@example.org'] });
  const sent = await queueAsked(database, { notify: 'DELAY' });
  const held = await queueMail(database.query, { status: 'held', reason: 'test' });
  await settled(database.query, late.queueId, ['deferred']);
  await settled(database.query, sent.queueId, ['sent']);
  await database.query(`insert into notice_owed select unnest($1::text[]), 0, 'delayed', now()`, [
    [late.queueId, sent.queueId, held.queueId],
  ]);
  wayOut.delivery.wake();
  const raw = await firstNotice(provider);
  expect(raw).toContain('Final-Recipient: rfc822; busy@example.org\r\nAction: delayed\r\nStatus: 4.2.1\r\n');
  await until(async () => (await owedIn(database)).length === 1, { what: 'the others to be settled' });
  const [owed] = (
    await database.query<{ queue_id: string; later: boolean }>(
      'select queue_id, due_at > now() as later from notice_owed',
    )
  ).rows;
  expect(owed).toEqual({ queue_id: held.queueId, later: true });
  expect(noticesAt(provider)).toHaveLength(1);
});

test('a database that refuses the notice loses nothing: it is written later, once', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  provider.on('rcpt', '550 5.1.1 User unknown', { times: 1 });
  await database.query(`
    create function refuse_notices() returns trigger language plpgsql as $$
    begin raise exception 'no notices today' using errcode = '53100'; end $$`);
  await database.query(`create trigger refuse_notices before insert on message for each row
    when (new.sender = '') execute function refuse_notices()`);
  await using _ = await openWayOut(database.url, environmentFor(provider));
  const { queueId } = await queueMail(database.query);
  await settled(database.query, queueId, ['bounced']);
  await until(
    async () => (await database.query('select from notice_owed where due_at > now()')).rowCount === 1,
    { what: 'the first try to fail' },
  );
  expect((await database.query('select from message')).rowCount).toBe(1);
  await database.query('drop trigger refuse_notices on message');
  await database.query('update notice_owed set due_at = now()');
  expect(await firstNotice(provider)).toContain('Action: failed');
  await until(async () => (await owedIn(database)).length === 0, { what: 'nothing to be owed' });
  expect(noticesAt(provider)).toHaveLength(1);
});

test('a relay that is killed between the result and the notice: the next one writes it, once', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  provider.on('rcpt', '550 5.1.1 User unknown', {
    when: ({ recipient }) => recipient === 'eve@example.org',
  });
  // The transaction that writes the notice waits for ever behind this lock; the result is committed by then.
  await using opened = openDatabase({ url: database.url, applicationName: 'test' });
  await using blocker = await opened.connect();
  await database.query(`
    create function wait_for_the_test() returns trigger language plpgsql as $$
    begin perform pg_advisory_xact_lock(4711); return new; end $$`);
  await database.query(`create trigger wait_for_the_test before insert on message for each row
    when (new.sender = '') execute function wait_for_the_test()`);
  await blocker.query('select pg_advisory_lock(4711)');
  const relay = { SMTP_ALLOWED_SENDERS: '*' };
  await using stack = await startStack({ database, provider, processes: ['relay'], relay });
  const { queueId } = await queueMail(database.query, { to: ['eve@example.org'] });
  await settled(database.query, queueId, ['bounced']);
  await until(
    async () => {
      const { rows } = await database.query(
        `select from pg_locks where locktype = 'advisory' and objid = 4711 and not granted`,
      );
      return rows.length > 0;
    },
    { what: 'the notice to be on its way into the database' },
  );
  stack.relay.process.kill('SIGKILL');
  await stack.relay.process.exited;
  await blocker.query('select pg_advisory_unlock(4711)');
  await stack.relay.start();
  expect(await firstNotice(provider)).toContain('Action: failed');
  await until(async () => (await owedIn(database)).length === 0, { what: 'nothing to be owed' });
  const next = await queueMail(database.query);
  await settled(database.query, next.queueId, ['sent']);
  expect(noticesAt(provider)).toHaveLength(1);
});
