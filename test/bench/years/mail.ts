// Finished mail as Postern leaves it behind, written by PostgreSQL in order of time: half of it asked for over the API
// and searchable, half of it submitted over SMTP, all bodies erased.
import type { TestDatabase } from '../../kit/database.ts';

export const daysKept = 90;
const atOnce = 50_000;

export const growingTables = ['email', 'message', 'message_part', 'recipient', 'event', 'search_document'];

export type MailRange = {
  /** When mail number 0 came, such as `daysKept` ago. */
  readonly since: Date;
  /** The mails with these numbers. */
  readonly from: number;
  readonly to: number;
  readonly perDay: number;
};

export async function writeMail(
  { query }: Pick<TestDatabase, 'query'>,
  { since, from, to, perDay }: MailRange,
  say: (line: string) => void = () => {},
): Promise<void> {
  for (let first = from; first < to; first += atOnce) {
    const last = Math.min(first + atOnce, to) - 1;
    for (const text of writes) await query(text, [first, last, perDay, since]);
    say(`${(last + 1).toLocaleString('en')} finished mails`);
  }
}

export const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000);

/** Of the email in the middle: its id, its recipient, and the queue id of the mail over SMTP next to it. */
export async function mailInTheMiddle({ query }: Pick<TestDatabase, 'query'>, count: number) {
  const { rows } = await query<{ id: string; address: string; submitted: string }>(
    `select e.id, e.recipients -> 0 ->> 'address' as address, m.queue_id as submitted
     from email e, lateral (
       select queue_id from message where email_id is null and queue_id > e.queue_id order by queue_id limit 1
     ) m
     order by e.id offset $1 limit 1`,
    [count >> 2],
  );
  return rows[0] ?? { id: '01900000-0000-7000-8000-000000000000', address: 'a@example.com', submitted: '' };
}

// Before every id that a relay draws.
const queueId = `'00' || lpad(n::text, 14, '0')`;

const mails = `
  select n, at, ${queueId} as queue_id,
    case when n % 2 = 0 then (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7' ||
      left(md5(n::text), 3) || '8' || right(md5(n::text), 15))::uuid end as id,
    'customer' || n % 100000 || '@' || (array['example.com', 'example.org', 'mail.example.com'])[1 + n % 3] as address,
    (array['Receipt', 'Invoice', 'Reminder', 'Your order'])[1 + n / 2 % 4] || ' ' || n as subject
  from (
    select n, $4::timestamptz + n / $3::float8 * interval '1 day' as at
    from generate_series($1::integer, $2::integer) n
  ) m`;

const writes = [
  `insert into email (id, kind, status, from_address, from_name, recipients, subject, message_id, due_at, token,
     queue_id, created_at, updated_at, accepted_at, finished_at, erased_at)
   select id, 'single', 'sent', 'hello@example.com', 'Example Ltd',
     jsonb_build_array(jsonb_build_object('kind', 'to', 'address', address, 'name', null)), subject,
     '<' || id || '@example.com>', at, sha256(queue_id::bytea), queue_id, at, at, at, at + interval '1 second', at
   from (${mails}) m where id is not null`,
  `insert into message (queue_id, email_id, credential, sender, header_from, message_id, size, priority, received_at)
   select queue_id, id, case when id is null then 'app' else 'postern' end, 'hello@example.com', 'hello@example.com',
     '<' || coalesce(id::text, queue_id) || '@example.com>', 4096, 1, at
   from (${mails}) m`,
  `insert into recipient (queue_id, ordinal, email_id, address, status, priority, attempts, marked_at, route, reply_code,
     enhanced_code, reply, provider_queue_id, finished_at)
   select queue_id, 0, id, address, 'sent', 1, 1, at, 'smtp.example.com:465', 250, '2.0.0',
     '250 2.0.0 Ok: queued as 4Xk' || n, '4Xk' || n, at + interval '1 second'
   from (${mails}) m`,
  `insert into event (at, type, email_id, queue_id, recipient, detail)
   select at, type, id, queue_id, case type when 'sent' then address end, case type
     when 'queued' then '{"size":4096,"client":"192.0.2.7","credential":"app","recipients":1}'
     when 'attempt' then '{"code":250,"lane":"smtp.example.com","stage":"accepted","reply":"250 2.0.0 Ok: queued",
       "route":"smtp.example.com:465","timings":{"mail":3,"rcpt":2,"data":2,"dot":12}}'
     else '{"code":250,"route":"smtp.example.com:465","reply":"250 2.0.0 Ok: queued"}' end::jsonb
   from (${mails}) m cross join (values ('queued'), ('attempt'), ('sent')) as e (type)`,
  `insert into search_document (email_id, words)
   select id, array_to_tsvector(array(
     select distinct word from unnest(
       regexp_split_to_array(lower(subject), '[^a-z0-9]+') || regexp_split_to_array(address, '[@.]') ||
       array[address, 'hello@example.com', 'hello', 'example', 'com', 'ltd', 'kind:single']) as w (word)
     where word <> ''))
   from (${mails}) m where id is not null`,
];
