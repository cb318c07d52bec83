// What tests of relay/client start from: a database, and an email in it.
import { openBudget } from '../../../deploy/budget.ts';
import { type Database, openDatabase } from '../../../deploy/database.ts';
import { openLog } from '../../../deploy/log.ts';
import type { EmailDraft } from '../../../relay/client/email/draft.ts';
import { type InsertedEmail, insertEmail } from '../../../relay/client/email/insert.ts';
import { freshDatabase, type TestDatabase } from '../../kit/database.ts';

/** Enough for anything. */
export const ampleBudget = () => openBudget(64 * 1024 * 1024);

export const silentLog = openLog('worker', 'silent');

export type TestPostern = AsyncDisposable & { readonly database: Database; readonly db: TestDatabase };

export async function startPostern(): Promise<TestPostern> {
  const db = await freshDatabase();
  const database = openDatabase({ url: db.url, applicationName: 'test', max: 20 });
  return {
    database,
    db,
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]();
      await db.stop();
    },
  };
}

export const draft = (changes: Partial<EmailDraft> = {}): EmailDraft => ({
  kind: 'single',
  from: { address: 'postern@example.com', name: 'Postern' },
  recipients: [{ kind: 'to', address: 'ann@example.com', name: 'Ann' }],
  subject: 'Hello',
  text: 'Hello Ann',
  ...changes,
});

export const insert = (database: Database, changes: Partial<EmailDraft> = {}): Promise<InsertedEmail> =>
  database.transaction((tx) => insertEmail(tx, draft(changes)));

/** A moment as far from now as the database's clock sees it. */
export const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000);

/** As the relay does when it takes an email: its rows, in the status that the test wants to start from. */
export async function acceptAs(
  { db }: Pick<TestPostern, 'db'>,
  id: string,
  recipients: readonly { status: string; marked?: boolean; address?: string }[],
): Promise<string> {
  const queueId = `Q${id.replaceAll('-', '').slice(-15)}`;
  await db.query(
    `insert into message (queue_id, email_id, credential, sender, header_from, message_id, size, priority)
     values ($1, $2, 'postern', '', '', '', 1, 0)`,
    [queueId, id],
  );
  await db.query(
    `update email set queue_id = $2, accepted_at = now(), status = 'queued', next_hand_over_at = null where id = $1`,
    [id, queueId],
  );
  for (const [ordinal, { address = `r${ordinal}@example.com` }] of recipients.entries()) {
    await db.query(
      `insert into recipient (queue_id, ordinal, email_id, address, status, priority, next_attempt_at)
       values ($1, $2, $3, $4, 'queued', 0, now())`,
      [queueId, ordinal, id, address],
    );
  }
  for (const [ordinal, { status, marked }] of recipients.entries()) {
    await db.query(
      `update recipient set
         status = $3::mail_status,
         next_attempt_at = case when $3 in ('queued', 'deferred') then now() end,
         claim_token = case when $3 = 'sending' then gen_random_uuid() end,
         claimed_by = case when $3 = 'sending' then gen_random_uuid() end,
         lease_until = case when $3 = 'sending' then now() + interval '1 minute' end,
         marked_at = case when $4 then now() end,
         reason = case when $3 = 'held' then 'test' end,
         finished_at = case when $3 in ('bounced', 'expired', 'cancelled', 'captured', 'sent') then now() end
       where queue_id = $1 and ordinal = $2`,
      [queueId, ordinal, status, marked ?? false],
    );
  }
  return queueId;
}
