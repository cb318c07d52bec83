// The words of relay/client/vocabulary.ts and the ones the database enforces are the same, in the same order.
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { finalStatuses, type Status, statuses } from '../../relay/client/vocabulary.ts';
import { freshDatabase, type TestDatabase } from '../kit/database.ts';
import { until } from '../kit/until.ts';

test('the database knows the statuses in the order of their precedence', async () => {
  await using database = await freshDatabase();
  const { rows } = await database.query('select unnest(enum_range(null::mail_status))::text as status');
  expect(rows.map((row) => row.status)).toEqual([...statuses]);
});

test('an email shows the first of its recipients’ statuses', async () => {
  await using database = await freshDatabase();
  const mail = await acceptedMail(database, ['queued', 'queued', 'queued']);
  for (const status of [...statuses].reverse().filter((status) => status !== 'pending')) {
    await setRecipient(database, mail, 1, status);
    await setRecipient(database, mail, 0, 'sent');
    await setRecipient(database, mail, 2, 'sent');
    expect(await statusOf(database, mail)).toBe(status);
  }
});

test('an email is finished exactly when its last recipient is', async () => {
  await using database = await freshDatabase();
  for (const final of finalStatuses) {
    const mail = await acceptedMail(database, ['queued', 'queued']);
    await setRecipient(database, mail, 0, final);
    expect(await finishedAt(database, mail)).toBeNull();
    await setRecipient(database, mail, 1, final);
    expect(await finishedAt(database, mail)).toBeInstanceOf(Date);
  }
});

test('two relays that finish the last two recipients at the same moment leave the email finished', async () => {
  await using database = await freshDatabase();
  const mail = await acceptedMail(database, ['queued', 'queued']);
  const first = new Client({ connectionString: database.url });
  const second = new Client({ connectionString: database.url });
  await Promise.all([first.connect(), second.connect()]);
  try {
    await first.query('begin');
    await first.query(finish(mail, 0));
    const waiting = second.query(finish(mail, 1));
    await until(() => isWaitingForALock(database), { what: 'the second to wait for the email row' });
    await first.query('commit');
    await waiting;
  } finally {
    await Promise.all([first.end(), second.end()]);
  }
  expect(await statusOf(database, mail)).toBe('sent');
});

type Mail = { emailId: string; queueId: string };

async function acceptedMail(database: TestDatabase, recipients: readonly Status[]): Promise<Mail> {
  const mail = { emailId: randomUUID(), queueId: randomUUID() };
  await database.query(
    `insert into email (id, kind, status, from_address, recipients, subject, message_id, token, queue_id, accepted_at)
     values ($1, 'single', 'queued', 'app@example.com', '[{"kind":"to","address":"a@example.com"}]', 'Hello',
             '<1@example.com>', '\\x00', $2, now())`,
    [mail.emailId, mail.queueId],
  );
  await database.query(
    `insert into message (queue_id, email_id, credential, sender, header_from, message_id, size, priority)
     values ($1, $2, 'postern', 'app@example.com', 'app@example.com', '<1@example.com>', 1, 0)`,
    [mail.queueId, mail.emailId],
  );
  for (const [ordinal, status] of recipients.entries()) {
    await database.query(
      `insert into recipient (queue_id, ordinal, email_id, address, status, priority, next_attempt_at)
       values ($1, $2, $3, 'a@example.com', $4, 0, now())`,
      [mail.queueId, ordinal, mail.emailId, status],
    );
  }
  return mail;
}

async function setRecipient(database: TestDatabase, { queueId }: Mail, ordinal: number, status: Status) {
  await database.query(
    `update recipient
     set status = $3::mail_status,
         next_attempt_at = case when $3::mail_status in ('queued', 'deferred') then now() end,
         claim_token = case when $3::mail_status = 'sending' then gen_random_uuid() end,
         claimed_by = case when $3::mail_status = 'sending' then gen_random_uuid() end,
         lease_until = case when $3::mail_status = 'sending' then now() end,
         marked_at = case when $3::mail_status = 'uncertain' then now() end,
         reason = case when $3::mail_status = 'held' then 'not-configured' end,
         finished_at = case when $3::mail_status = any($4::mail_status[]) then now() end
     where queue_id = $1 and ordinal = $2`,
    [queueId, ordinal, status, finalStatuses],
  );
}

const finish = ({ queueId }: Mail, ordinal: number) => ({
  text: `update recipient set status = 'sent', next_attempt_at = null, finished_at = now()
         where queue_id = $1 and ordinal = $2`,
  values: [queueId, ordinal],
});

async function statusOf(database: TestDatabase, { emailId }: Mail): Promise<Status> {
  const { rows } = await database.query('select status from email where id = $1', [emailId]);
  return rows[0]?.status;
}

async function isWaitingForALock(database: TestDatabase): Promise<boolean> {
  const { rowCount } = await database.query(
    "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
  );
  return rowCount === 1;
}

async function finishedAt(database: TestDatabase, { emailId }: Mail): Promise<Date | null> {
  const { rows } = await database.query('select finished_at from email where id = $1', [emailId]);
  return rows[0]?.finished_at;
}
