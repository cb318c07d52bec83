// Years of mail in seconds: rows as Postern itself would have left them, written by PostgreSQL without the processes.
// For what must stay quick however much has happened.
import type { TestDatabase } from './database.ts';

export type History = {
  readonly emails: number;
  readonly customers?: number;
  /** Over which the mail is spread, the newest a moment ago. */
  readonly days?: number;
};

const atOnce = 50_000;

/**
 * Writes it in order of time: most of it sent, some refused, cancelled or too late; of the newest twentieth more than
 * half still waits. One mail has the subject `Needle in the haystack` and one, the oldest, goes to `first@example.net`.
 */
export async function writeHistory(
  { query }: Pick<TestDatabase, 'query'>,
  { emails, customers = 0, days = 90 }: History,
  say: (line: string) => void = () => {},
): Promise<void> {
  if (customers > 0) {
    await query(writeCustomers, [customers]);
    await query(writeOwners);
  }
  const { rows } = await query<{ now: Date }>('select now()');
  for (let from = 0; from < emails; from += atOnce) {
    const range = [from, Math.min(from + atOnce, emails) - 1, emails, days, rows[0]?.now];
    for (const text of [writeEmails, writeMessages, writeRecipients, writeEvents]) await query(text, range);
    say(`${Math.min(from + atOnce, emails).toLocaleString('en')} mails`);
  }
  // As autovacuum would have done by then.
  for (const table of ['email', 'message', 'recipient', 'event', 'customer', 'owner'])
    await query(`vacuum (analyze) ${table}`);
}

// UUIDv7 (RFC 9562 section 5.7): the time in milliseconds, and the rest from the number instead of from chance.
const uuidAt = (time: string, n: string) =>
  `(lpad(to_hex((extract(epoch from ${time}) * 1000)::bigint), 12, '0') || '7' || left(md5(${n}::text), 3) || '8' ||
    right(md5(${n}::text), 15))::uuid`;

const writeCustomers = `
  insert into customer (id, name, email, status, activated_at)
  select ${uuidAt("now() - interval '1 year' + n * interval '1 second'", 'n')}, 'Customer ' || n || ' Ltd',
         'office' || n || '@customer' || n % 5000 || '.example', 'active', now()
  from generate_series(1, $1::integer) n`;

const writeOwners = `
  insert into owner (id, customer_id, name, email, activated_at)
  select overlay(id::text placing 'f' from 20 for 1)::uuid, id, 'Owner of ' || name, replace(email, 'office', 'owner'), now()
  from customer`;

// chance is from 0 to 999, and the same for a number in every table.
const mails = `
  select m.*, ${uuidAt('at', 'n')} as id, lpad(n::text, 16, '0') as queue_id,
    case when n = 0 then 'first@example.net'
         else (array['ann','ben','chiara','dagny','emeka','femi','greta','hana'])[1 + chance % 8] || n % 60000 || '@' ||
              (array['example.com','example.org','example.net','mail.example.com','customer' || n % 5000 || '.example'])[1 + n % 5]
    end as address,
    case when n > $3 * 0.95 and chance between 100 and 399 then 'pending'
         when n > $3 * 0.95 and chance between 400 and 499 then 'deferred'
         when n > $3 * 0.95 and chance between 500 and 599 then 'queued'
         when n > $3 * 0.95 and chance between 600 and 659 then 'held'
         when n > $3 * 0.95 and chance between 660 and 664 then 'uncertain'
         when chance < 20 then 'bounced' when chance < 24 then 'expired' when chance < 34 then 'cancelled'
         else 'sent' end::mail_status as status
  from (
    select n, (hashint4(n) & 2147483647) % 1000 as chance,
           $5::timestamptz - ($3::integer - n) * ($4::integer * interval '1 day' / $3::integer) as at
    from generate_series($1::integer, $2::integer) n
  ) m`;

const writeEmails = `
  insert into email (id, kind, status, reason, reason_detail, customer_id, client_id, entry_key, from_address, from_name,
    recipients, subject, text_body, message_id, due_at, token, queue_id, next_hand_over_at, created_at, updated_at,
    accepted_at, finished_at)
  select id, case when chance % 10 < 5 then 'single' when chance % 10 < 8 then 'scheduled' else 'invitation' end, status,
    case status when 'held' then 'sender-not-owned' when 'bounced' then 'recipient-unknown' when 'deferred' then 'greylisted'
      when 'expired' then 'too-late' when 'uncertain' then 'no-final-reply' end,
    case status when 'held' then '553 5.7.1 Sender address rejected: not owned by user'
      when 'bounced' then '550 5.1.1 User unknown' end,
    null, case when chance % 10 between 5 and 7 then 'client-' || n % 2000 end,
    case when chance % 10 between 5 and 7 then 'entry-' || n end,
    'hello@example.com', 'Example Ltd',
    jsonb_build_array(jsonb_build_object('kind', 'to', 'address', address, 'name', initcap(split_part(address, '@', 1)))),
    case when n = $3::integer / 3 then 'Needle in the haystack'
      else replace((array['Your order # has shipped','Receipt # for March','Reset your password','Reminder: appointment #',
        'Welcome to Example Ltd','Invoice #','Your weekly report','Überweisung #'])[1 + n % 8], '#', n::text) end,
    'Hello, this is what we wanted to tell you.', '<' || n || '@example.com>',
    case when status = 'pending' then $5::timestamptz + n % 10000 * interval '5 minutes' else at end, '\\x00',
    case when status <> 'pending' then queue_id end,
    case when status = 'pending' then $5::timestamptz + n % 10000 * interval '5 minutes' end,
    at, at, case when status <> 'pending' then at end,
    case when status in ('sent', 'bounced', 'expired', 'cancelled') then at + chance * interval '1 millisecond' end
  from (${mails}) m`;

const writeMessages = `
  insert into message (queue_id, email_id, credential, sender, header_from, message_id, size, priority, received_at)
  select queue_id, id, 'postern', 'hello@example.com', 'hello@example.com', '<' || n || '@example.com>', 900, 1, at
  from (${mails}) m where status <> 'pending'`;

const writeRecipients = `
  insert into recipient (queue_id, ordinal, email_id, address, status, priority, attempts, next_attempt_at, marked_at,
    reason, reason_detail, route, reply_code, reply, finished_at)
  select queue_id, 0, id, address, status, 1, 1,
    case when status = 'deferred' then now() + chance * interval '10 seconds'
         when status = 'queued' then now() - chance * interval '1 second' end,
    case when status in ('sent', 'uncertain') then at end,
    case status when 'held' then 'sender-not-owned' when 'bounced' then 'recipient-unknown' end, null,
    'smtp.example.com:465', case when status = 'sent' then 250 end, case when status = 'sent' then '250 2.0.0 Ok: queued' end,
    case when status in ('sent', 'bounced', 'expired', 'cancelled') then at + chance * interval '1 millisecond' end
  from (${mails}) m where status <> 'pending'`;

const writeEvents = `
  insert into event (at, type, email_id, queue_id, recipient, detail)
  select at, type, id, case when type <> 'created' then queue_id end, case when type <> 'created' then address end, '{}'
  from (${mails}) m cross join (values ('created'), ('attempt')) as e (type)
  where type = 'created' or status <> 'pending'`;
