import { expect, test } from 'vitest';
import { readAttachments } from '../../../../relay/client/email/attachment.ts';
import { readDeliveries } from '../../../../relay/client/email/delivery.ts';
import { readEmail } from '../../../../relay/client/email/row.ts';
import { appendEvents } from '../../../../relay/client/email/timeline.ts';
import { eraseRecipient } from '../../../../relay/client/erasure/erase.ts';
import { acceptAs, inSeconds, insert, startPostern, type TestPostern } from '../postern.ts';

const ann = 'ann+news.letter@example.com';

const erase = ({ database }: TestPostern) => database.transaction((tx) => eraseRecipient(tx, ann, 'admin'));

/** Every text of every row in which the person still appears. */
async function traces({ db }: TestPostern): Promise<string[]> {
  const tables = ['email', 'email_attachment', 'event', 'message', 'message_part', 'recipient'];
  const found: string[] = [];
  for (const table of tables) {
    const { rows } = await db.query<{ row: string }>(`select row_to_json(t)::text as row from ${table} t`);
    found.push(...rows.filter(({ row }) => /ann\+news/i.test(row)).map(({ row }) => `${table}: ${row}`));
  }
  return found;
}

test('nothing of a person is left but the fact that mail was sent', async () => {
  await using postern = await startPostern();
  const both = [
    { kind: 'to', address: 'Ann+News.Letter@Example.com', name: 'ann+news' },
    { kind: 'cc', address: 'bob@example.com', name: 'Bob' },
  ] as const;
  const attachments = [{ filename: 'ann+news.txt', contentType: 'text/plain', content: Buffer.from('x') }];
  const { id: sent } = await insert(postern.database, {
    recipients: both,
    subject: 'For ann+news',
    text: 'Dear ann+news',
    html: '<p>ann+news</p>',
    headers: [{ name: 'X-For', value: 'ann+news' }],
    attachments,
  });
  const queueId = await acceptAs(postern, sent, [
    { status: 'sent', marked: true, address: ann },
    { status: 'sent', marked: true, address: 'bob@example.com' },
  ]);
  await postern.db.query(`update recipient set reply = '250 ok ' || address`);
  await postern.db.query('insert into message_part values ($1, 0, $2)', [queueId, Buffer.from('To: ann')]);
  await appendEvents(postern.database, [
    { type: 'sent', emailId: sent, queueId, recipient: ann, detail: { reply: `250 "ok" <${ann}>` } },
  ]);
  const { id: waiting } = await insert(postern.database, {
    recipients: [{ kind: 'to', address: ann }],
    dueAt: inSeconds(60),
  });
  const { id: other } = await insert(postern.database);

  expect(await erase(postern)).toEqual({ emails: 2, messages: 0, onTheirWay: 0 });
  expect(await traces(postern)).toEqual([]);
  expect(await readEmail(postern.database, sent)).toMatchObject({
    status: 'sent',
    subject: '(erased)',
    text: null,
    recipients: [
      { kind: 'to', address: 'erased@erased.invalid' },
      { kind: 'cc', address: 'bob@example.com', name: 'Bob' },
    ],
    erasedAt: expect.any(Date),
  });
  expect(await readAttachments(postern.database, sent)).toEqual([]);
  expect(await readDeliveries(postern.database, sent)).toMatchObject([
    { address: 'erased@erased.invalid', reply: '250 ok erased@erased.invalid' },
    { address: 'bob@example.com', reply: '250 ok bob@example.com' },
  ]);
  expect(await readEmail(postern.database, waiting)).toMatchObject({ status: 'cancelled' });
  expect(await readEmail(postern.database, other)).toMatchObject({ subject: 'Hello', text: 'Hello Ann' });
  expect(await erase(postern)).toEqual({ emails: 0, messages: 0, onTheirWay: 0 });
});

test('mail that is on its way keeps the address until it is finished, and the answer says so', async () => {
  await using postern = await startPostern();
  const { id } = await insert(postern.database, { recipients: [{ kind: 'to', address: ann }] });
  await acceptAs(postern, id, [{ status: 'sending', address: ann }]);
  expect(await erase(postern)).toEqual({ emails: 0, messages: 0, onTheirWay: 1 });
  expect(await readEmail(postern.database, id)).toMatchObject({ status: 'sending', text: 'Hello Ann' });
});

test('mail that somebody else still waits for keeps its bytes until that recipient has it, too', async () => {
  await using postern = await startPostern();
  const both = [ann, 'bob@example.com'].map((address) => ({ kind: 'to' as const, address }));
  const { id } = await insert(postern.database, { recipients: both });
  const queueId = await acceptAs(postern, id, [
    { status: 'sent', marked: true, address: ann },
    { status: 'deferred', address: 'bob@example.com' },
  ]);
  await postern.db.query('insert into message_part values ($1, 0, $2)', [queueId, Buffer.from('To: both')]);
  expect(await erase(postern)).toEqual({ emails: 0, messages: 0, onTheirWay: 1 });
  const { rows } = await postern.db.query('select queue_id from message_part');
  expect(rows).toEqual([{ queue_id: queueId }]);
});

test('mail that another application submitted is erased as well', async () => {
  await using postern = await startPostern();
  for (const [queueId, status] of [
    ['DONE', 'sent'],
    ['WAITING', 'queued'],
  ]) {
    await postern.db.query(
      `insert into message (queue_id, credential, sender, header_from, message_id, size, priority)
       values ($1, 'app', '', '', '', 1, 1)`,
      [queueId],
    );
    await postern.db.query(
      `insert into recipient (queue_id, ordinal, address, status, priority, next_attempt_at, finished_at)
       values ($1, 0, $2, $3::mail_status, 1, case $3 when 'queued' then now() end, case $3 when 'sent' then now() end)`,
      [queueId, ann, status],
    );
    await postern.db.query('insert into message_part values ($1, 0, $2)', [queueId, Buffer.from('x')]);
    await appendEvents(postern.database, [{ type: 'queued', queueId, recipient: ann }]);
  }
  expect(await erase(postern)).toEqual({ emails: 0, messages: 1, onTheirWay: 1 });
  const left = await traces(postern);
  expect(left.every((row) => row.includes('WAITING'))).toBe(true);
  const { rows } = await postern.db.query('select queue_id from message_part');
  expect(rows).toEqual([{ queue_id: 'WAITING' }]);
});
