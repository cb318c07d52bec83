// Many waiting mails at once, made by the server itself: a million in well under a minute.
import type { TestDatabase } from '../../kit/database.ts';

const batch = 50_000;

/**
 * Mail as it lies in a queue after an outage: queued, received in the last day, each with an email of the API for every
 * second one. Ids are those of a year ago, so that new mail has later ones.
 */
export async function fillBacklog(
  { query }: Pick<TestDatabase, 'query'>,
  count: number,
  { status = 'queued', reason = null }: { status?: 'queued' | 'held'; reason?: string | null } = {},
): Promise<void> {
  for (let from = 0; from < count; from += batch) {
    const range = [from, Math.min(from + batch, count) - 1];
    await query(
      `insert into email (id, kind, status, reason, from_address, recipients, subject, message_id, token, queue_id,
         accepted_at, due_at)
       select ${emailId}, 'single', '${status}', $3, 'ann@example.com', '[{"kind":"to","address":"r@example.net","name":null}]',
         'Hello', '<' || n || '@example.com>', '', ${queueId}, now(), now()
       from generate_series($1::integer, $2::integer) n where n % 2 = 0`,
      [...range, reason],
    );
    await query(
      `insert into message (queue_id, email_id, credential, sender, header_from, message_id, size, priority)
       select ${queueId}, case when n % 2 = 0 then ${emailId} end, 'app', 'ann@example.com', 'ann@example.com',
         '<' || n || '@example.com>', length(${content}), 1
       from generate_series($1::integer, $2::integer) n`,
      range,
    );
    await query(
      `insert into message_part (queue_id, part, content)
       select ${queueId}, 0, convert_to(${content}, 'UTF8') from generate_series($1::integer, $2::integer) n`,
      range,
    );
    await query(
      `insert into recipient (queue_id, ordinal, email_id, address, status, reason, priority, next_attempt_at)
       select ${queueId}, 0, case when n % 2 = 0 then ${emailId} end, 'r' || n || '@example.net', '${status}', $3, 1,
         case when '${status}' = 'queued' then now() - interval '1 day' + n * interval '1 millisecond' end
       from generate_series($1::integer, $2::integer) n`,
      [...range, reason],
    );
  }
  for (const table of ['recipient', 'message', 'email']) await query(`vacuum (analyze) ${table}`);
}

const queueId = `'01J' || lpad(n::text, 13, '0')`;
const emailId = `('01930000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid`;
const content = `E'From: ann@example.com\\r\\nSubject: ' || n || E'\\r\\n\\r\\nHello\\r\\n'`;
