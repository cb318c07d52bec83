// Erasing a person: everywhere an address received mail or was to receive it, bodies go and the address is masked.
// That mail was sent, when, and what the provider said stays.
import type { Database, Queryable } from '../../deploy/database.ts';
import { cancelEmailWithin } from './cancel.ts';

export type Erasure = {
  /** Emails and submitted messages in which the address was masked. */
  readonly erased: number;
  /** Those that are on their way right now and keep the address; ask again when they are finished. */
  readonly onTheirWay: number;
};

const mask = 'erased@erased.invalid';
const batchSize = 200;

/**
 * Erases one address, in any case of letters. What has not left is cancelled first. Works in batches, each in a
 * transaction of its own, and may be repeated.
 */
export async function eraseRecipient(database: Database, address: string, actor: string): Promise<Erasure> {
  let erased = 0;
  let onTheirWay = 0;
  for (let after: string | undefined; ; ) {
    const { rows } = await database.query<{ id: string }>(
      `select id from email
       where ($2::uuid is null or id > $2) and exists (
         select from jsonb_array_elements(recipients) r where lower(r ->> 'address') = lower($1)
       )
       order by id limit $3`,
      [address, after ?? null, batchSize],
    );
    for (const { id } of rows) {
      const done = await database.transaction((tx) => eraseFromEmail(tx, id, address, actor));
      if (done) erased++;
      else onTheirWay++;
    }
    after = rows.at(-1)?.id;
    if (rows.length < batchSize) break;
  }
  const submitted = await database.transaction((tx) => eraseFromSubmitted(tx, address));
  return { erased: erased + submitted.erased, onTheirWay: onTheirWay + submitted.onTheirWay };
}

async function eraseFromEmail(tx: Queryable, id: string, address: string, actor: string): Promise<boolean> {
  await cancelEmailWithin(tx, id, actor);
  const { rows } = await tx.query<{ queue_id: string | null; over: boolean }>(
    'select queue_id, finished_at is not null as over from email where id = $1',
    [id],
  );
  const email = rows[0];
  if (!email?.over) return false;

  // Recipients before their email, in the order of the relay.
  if (email.queue_id !== null) await maskRecipients(tx, [email.queue_id], address);
  await tx.query('delete from email_attachment where email_id = $1', [id]);
  await tx.query('update event set recipient = $3 where email_id = $1 and lower(recipient) = lower($2)', [
    id,
    address,
    mask,
  ]);
  await tx.query(
    `update event set detail = regexp_replace(detail::text, $2, $3, 'gi')::jsonb
     where email_id = $1 and detail::text ~* $2`,
    [id, literal(address), mask],
  );
  await tx.query(
    `update email set
       recipients = (
         select jsonb_agg(case
           when lower(r ->> 'address') = lower($2)
             then jsonb_build_object('kind', r -> 'kind', 'address', $3::text, 'name', null)
           else r end order by ordinality)
         from jsonb_array_elements(recipients) with ordinality as all_of_them (r, ordinality)
       ),
       reason_detail = regexp_replace(reason_detail, $4, $3, 'gi'),
       subject = '', text_body = null, html_body = null, headers = '[]',
       erased_at = coalesce(erased_at, now()), updated_at = now()
     where id = $1`,
    [id, address, mask, literal(address)],
  );
  return true;
}

/** Messages that other applications submitted over SMTP: there is no email, and nobody can cancel them here. */
async function eraseFromSubmitted(tx: Queryable, address: string): Promise<Erasure> {
  const { rows } = await tx.query<{ queue_id: string; over: boolean }>(
    `select r.queue_id, bool_and(r.finished_at is not null) as over
     from recipient r
     where r.queue_id in (select queue_id from recipient where email_id is null and lower(address) = lower($1))
     group by r.queue_id order by r.queue_id`,
    [address],
  );
  const over = rows.filter((row) => row.over).map(({ queue_id }) => queue_id);
  await maskRecipients(tx, over, address);
  await tx.query(
    `update event set
       recipient = case when lower(recipient) = lower($2) then $3 else recipient end,
       detail = regexp_replace(detail::text, $4, $3, 'gi')::jsonb
     where queue_id = any($1) and email_id is null`,
    [over, address, mask, literal(address)],
  );
  return { erased: over.length, onTheirWay: rows.length - over.length };
}

async function maskRecipients(tx: Queryable, queueIds: readonly string[], address: string): Promise<void> {
  await tx.query(
    `update recipient set
       address = $3,
       reply = regexp_replace(reply, $4, $3, 'gi'),
       reason_detail = regexp_replace(reason_detail, $4, $3, 'gi')
     where queue_id = any($1) and lower(address) = lower($2)`,
    [queueIds, address, mask, literal(address)],
  );
  await tx.query('delete from message_part where queue_id = any($1)', [queueIds]);
}

/** The address as a regular expression that means nothing but itself. */
const literal = (address: string) => address.replace(/[^0-9A-Za-z@_\u0080-\uffff]/g, String.raw`\$&`);
