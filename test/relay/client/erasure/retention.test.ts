import { expect, test } from 'vitest';
import { readAttachments } from '../../../../relay/client/email/attachment.ts';
import { readEmail } from '../../../../relay/client/email/row.ts';
import { readTimeline } from '../../../../relay/client/email/timeline.ts';
import {
  eraseBodies,
  eraseMessages,
  firstPart,
  firstPlace,
  forgetEmails,
  forgetHeartbeats,
  forgetMessages,
  forgetSubmissionKeys,
  sweepParts,
} from '../../../../relay/client/erasure/retention.ts';
import { releaseWithoutSender } from '../../../../relay/client/outbox/release.ts';
import { newQueueId } from '../../../../relay/client/queue-id.ts';
import { beat, readHeartbeats } from '../../../../relay/client/status/heartbeat.ts';
import { acceptAs, inSeconds, insert, startPostern, type TestPostern } from '../postern.ts';

const day = 86_400;

const idOf = (hoursAgo: number) => newQueueId(inSeconds(-hoursAgo * 3600));

const countOf = async ({ db }: TestPostern, table: string) =>
  Number((await db.query<{ n: string }>(`select count(*) as n from ${table}`)).rows[0]?.n);

const finishedDaysAgo = async (postern: TestPostern, days: number): Promise<string> => {
  const attachments = [{ filename: 'a', contentType: 'text/plain', content: Buffer.from('a') }];
  const { id } = await insert(postern.database, { attachments });
  const queueId = await acceptAs(postern, id, [{ status: 'sent', marked: true }]);
  await postern.db.query('insert into message_part values ($1, 0, $2)', [queueId, Buffer.from('bytes')]);
  await postern.db.query(`update email set finished_at = now() - make_interval(days => $2) where id = $1`, [
    id,
    days,
  ]);
  return id;
};

test('bodies are erased after their time, and the rows still tell what happened', async () => {
  await using postern = await startPostern();
  const old = await finishedDaysAgo(postern, 8);
  const young = await finishedDaysAgo(postern, 6);
  const { id: waiting } = await insert(postern.database);
  expect(await eraseBodies(postern.database, 7 * day)).toEqual({ count: 1, isEnd: true });

  expect(await readEmail(postern.database, old)).toMatchObject({
    status: 'sent',
    text: null,
    erasedAt: expect.any(Date),
  });
  expect(await readAttachments(postern.database, old)).toEqual([]);
  expect(await readEmail(postern.database, young)).toMatchObject({ text: 'Hello Ann', erasedAt: null });
  expect(await readEmail(postern.database, waiting)).toMatchObject({ text: 'Hello Ann' });
  expect(await countOf(postern, 'message_part')).toBe(1);
  expect(await eraseBodies(postern.database, 7 * day)).toEqual({ count: 0, isEnd: true });
});

test('finished emails are forgotten with all that is known of them', async () => {
  await using postern = await startPostern();
  const old = await finishedDaysAgo(postern, 91);
  const young = await finishedDaysAgo(postern, 89);
  const { id: waiting } = await insert(postern.database, { dueAt: inSeconds(-91 * day) });
  expect(await forgetEmails(postern.database, 90 * day)).toEqual({ count: 1, isEnd: true });
  expect(await readEmail(postern.database, old)).toBeUndefined();
  expect(await readTimeline(postern.database, old)).toEqual([]);
  expect(await readEmail(postern.database, young)).toMatchObject({ status: 'sent' });
  expect(await readEmail(postern.database, waiting)).toMatchObject({ status: 'pending' });
  for (const table of ['message', 'recipient', 'message_part', 'email_attachment']) {
    expect(await countOf(postern, table)).toBe(1);
  }
});

const submit = async ({ db }: TestPostern, queueId: string, days: number, statuses: readonly string[]) => {
  await db.query(
    `insert into message (queue_id, credential, sender, header_from, message_id, size, priority, received_at)
     values ($1, 'app', '', '', '', 1, 1, now() - make_interval(days => $2))`,
    [queueId, days],
  );
  for (const [ordinal, status] of statuses.entries()) {
    await db.query(
      `insert into recipient (queue_id, ordinal, address, status, priority, next_attempt_at, finished_at)
       values ($1, $2, 'a@example.com', $3::mail_status, 1, case when $3 = 'queued' then now() end,
               case when $3 <> 'queued' then now() - make_interval(days => $4) end)`,
      [queueId, ordinal, status, days],
    );
  }
  await db.query(`insert into event (type, queue_id) values ('queued', $1)`, [queueId]);
  await db.query('insert into message_part values ($1, 0, $2), ($1, 1, $2)', [queueId, Buffer.from('bytes')]);
};

test('submitted messages are forgotten once every recipient is finished for long enough', async () => {
  await using postern = await startPostern();
  await submit(postern, 'OLD', 91, ['sent', 'bounced']);
  await submit(postern, 'WAITING', 91, ['sent', 'queued']);
  await submit(postern, 'YOUNG', 89, ['sent']);
  await submit(postern, 'PARTLY', 91, ['sent', 'sent']);
  await postern.db.query(
    "update recipient set finished_at = now() - interval '89 days' where queue_id = 'PARTLY' and ordinal = 1",
  );
  const ofEmail = await finishedDaysAgo(postern, 89);
  await postern.db.query(
    "update recipient set finished_at = now() - interval '91 days' where email_id = $1",
    [ofEmail],
  );
  const from = firstPlace;
  expect(await forgetMessages(postern.database, { from, olderThanSeconds: 90 * day })).toMatchObject({
    count: 1,
    isEnd: true,
  });
  const { rows } = await postern.db.query(
    'select queue_id from message where email_id is null order by queue_id',
  );
  expect(rows).toEqual([{ queue_id: 'PARTLY' }, { queue_id: 'WAITING' }, { queue_id: 'YOUNG' }]);
  // What is kept of an email is for the email to say.
  expect((await postern.db.query('select from message where email_id = $1', [ofEmail])).rowCount).toBe(1);
  expect((await postern.db.query('select from event where email_id is null')).rowCount).toBe(3);
  expect(await countOf(postern, 'message_part')).toBe(7);
  // A repeat of it has to be known for a day, however short RETENTION_ROWS is.
  await submit(postern, 'NEW', 0, ['sent']);
  expect(await forgetMessages(postern.database, { from, olderThanSeconds: 0 })).toMatchObject({ count: 2 });
  expect((await postern.db.query("select from message where queue_id = 'NEW'")).rowCount).toBe(1);
});

test('large mail goes in smaller batches, because removing its bytes takes time', async () => {
  await using postern = await startPostern();
  for (const days of [93, 92, 91]) await finishedDaysAgo(postern, days);
  for (const days of [93, 92, 91]) await submit(postern, `S${days}`, days, ['sent']);
  await postern.db.query('update message set size = 100000000');
  const both = { from: firstPlace, olderThanSeconds: 90 * day };
  const parts = { ...both, from: firstPart };
  const first = await eraseMessages(postern.database, parts);
  expect(first).toMatchObject({ count: 2, isEnd: false, reached: ['S92', 1] });
  const rest = await eraseMessages(postern.database, { ...parts, from: first.reached });
  expect(rest).toMatchObject({ count: 1, isEnd: true });
  expect(await forgetMessages(postern.database, both)).toMatchObject({ count: 2, isEnd: false });
  for (const batch of [eraseBodies, forgetEmails]) {
    expect(await batch(postern.database, 90 * day)).toEqual({ count: 2, isEnd: false });
    expect(await batch(postern.database, 90 * day)).toEqual({ count: 1, isEnd: true });
  }
});

test('bytes that nobody claimed go after an hour, those of finished messages after their time', async () => {
  await using postern = await startPostern();
  const [orphan, upload, finished, waiting, recent] = [
    idOf(2),
    idOf(0.5),
    idOf(8 * 24),
    idOf(8 * 24),
    idOf(24),
  ];
  for (const [queueId, age] of [
    [orphan, '2 hours'],
    [upload, '30 minutes'],
  ]) {
    await postern.db.query(
      `insert into message_part select $1, part, 'x', now() - $2::interval from generate_series(0, 1) part`,
      [queueId, age],
    );
  }
  await submit(postern, finished, 8, ['sent']);
  await submit(postern, waiting, 8, ['sent', 'queued']);
  await submit(postern, recent, 1, ['sent']);
  await postern.db.query(
    "update message_part set stored_at = now() - interval '1 day' where queue_id = any($1)",
    [[finished, waiting, recent]],
  );

  expect(await sweepParts(postern.database, firstPart)).toMatchObject({ count: 1, isEnd: true });
  const from = firstPart;
  expect(await eraseMessages(postern.database, { from, olderThanSeconds: 7 * day })).toMatchObject({
    count: 1,
    isEnd: true,
  });
  const { rows } = await postern.db.query<{ queue_id: string }>('select distinct queue_id from message_part');
  expect(rows.map(({ queue_id }) => queue_id).toSorted()).toEqual([upload, waiting, recent].toSorted());
});

test('after a start the bytes that are due go at once, however much was erased before', async () => {
  await using postern = await startPostern();
  await postern.db.query(
    `with m as (
       insert into message (queue_id, credential, sender, header_from, message_id, size, priority, received_at)
       select 'A' || n, 'app', '', '', '', 1, 1, now() - interval '60 days' from generate_series(1, 5000) n
       returning queue_id, received_at
     )
     insert into recipient (queue_id, ordinal, address, status, priority, finished_at)
     select queue_id, 0, '', 'sent', 1, received_at from m`,
  );
  await submit(postern, 'B', 8, ['sent']);
  await submit(postern, 'C', 1, ['sent']);
  const erased = await eraseMessages(postern.database, { from: firstPart, olderThanSeconds: 7 * day });
  expect(erased).toMatchObject({ count: 1, isEnd: true });
  expect(await countOf(postern, 'message_part')).toBe(2);
});

test('a relay whose clock is wrong keeps the parts of what is arriving', async () => {
  await using postern = await startPostern();
  const [slow, fast] = [idOf(24 * 365), idOf(-24 * 365)];
  const stored =
    "insert into message_part (queue_id, part, content, stored_at) values ($1, $2, '', now() - $3::interval)";
  await postern.db.query(stored, [slow, 0, '2 hours']);
  await postern.db.query(stored, [slow, 1, '1 minute']);
  await postern.db.query(stored, [fast, 0, '2 hours']);
  await sweepParts(postern.database, firstPart);
  const { rows } = await postern.db.query('select queue_id, part from message_part order by part');
  expect(rows).toEqual([
    { queue_id: slow, part: 0 },
    { queue_id: slow, part: 1 },
  ]);
});

test('a submission key is forgotten when its time is over', async () => {
  await using postern = await startPostern();
  await postern.db.query(
    `insert into submission (credential, key, queue_id, at, lasts) values
       ('app', 'a', 'Q1', now() - interval '25 hours', '24 hours'),
       ('app', 'b', 'Q2', now() - interval '25 hours', '7 days')`,
  );
  expect(await forgetSubmissionKeys(postern.database)).toBe(1);
  expect((await postern.db.query('select queue_id from submission')).rows).toEqual([{ queue_id: 'Q2' }]);
});

test('old heartbeats are forgotten, but never the last one of a kind', async () => {
  await using postern = await startPostern();
  const relay = (n: number, days: number) =>
    postern.db.query(
      `insert into heartbeat (instance, process, started_at, seen_at, report)
       values (gen_random_uuid(), 'relay', now(), now() - make_interval(days => $2), $1)`,
      [JSON.stringify({ n }), days],
    );
  await relay(1, 3);
  await relay(2, 2);
  expect(await forgetHeartbeats(postern.database)).toBe(1);
  expect(await readHeartbeats(postern.database)).toMatchObject([{ alive: false, report: { n: 2 } }]);

  const instance = '01900000-0000-7000-8000-000000000001';
  for (const n of [3, 4]) await beat(postern.database, { instance, process: 'relay', report: { n } });
  expect(await readHeartbeats(postern.database, 'relay')).toMatchObject([
    { alive: true, instance, report: { n: 4 } },
    { alive: false, report: { n: 2 } },
  ]);
  expect(await readHeartbeats(postern.database, 'worker')).toEqual([]);
});

test('mail that had no sender gets one as soon as one is known', async () => {
  await using postern = await startPostern();
  const { id: now } = await insert(postern.database, { from: undefined });
  const dueAt = inSeconds(3600);
  const { id: later } = await insert(postern.database, { from: undefined, dueAt });
  const { id: untouched } = await insert(postern.database);
  expect(await releaseWithoutSender(postern.database, { address: 'post@example.org', name: 'Post' })).toBe(2);

  expect(await readEmail(postern.database, now)).toMatchObject({
    status: 'pending',
    from: { address: 'post@example.org', name: 'Post' },
    messageId: `<${now}@example.org>`,
    reason: null,
  });
  expect(await readEmail(postern.database, later)).toMatchObject({ status: 'pending', dueAt });
  expect(await readEmail(postern.database, untouched)).toMatchObject({
    from: { address: 'postern@example.com' },
  });
  expect((await readTimeline(postern.database, now)).at(-1)).toMatchObject({ type: 'released' });
});
