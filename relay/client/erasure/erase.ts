// Erasing a person: everywhere an address received mail or was to receive it, bodies go and the address is masked;
// everywhere else it is replaced where it stands. That mail was sent, when, and what the provider said stays.
import type { Queryable } from '../../../deploy/database.ts';
import { cancelEmailWithin } from '../outbox/cancel.ts';
import { forgetSuppressed } from '../suppression/suppression.ts';
import { eraseMentions, findMentions } from './erase-mentions.ts';
import { erasedAddress, type Person, personOf } from './person.ts';
import { mailTables } from './personal.ts';
import { inPage, listWithout, pagesOf } from './redact.ts';

export type ErasedMail = {
  readonly emails: number;
  /** Mails that other applications submitted over SMTP. */
  readonly messages: number;
  /** Those that are not finished, for this address or for another one of theirs: ask again when they are. */
  readonly onTheirWay: number;
};

/**
 * Erases one address, in any case of letters, inside the caller's transaction. What has not left is withdrawn first;
 * what is on its way keeps its bytes, because they may have to be sent again. May be repeated.
 */
export async function eraseRecipient(tx: Queryable, address: string, actor: string): Promise<ErasedMail> {
  const person = personOf(address);
  // Reading takes long where there is much mail; only then are rows locked.
  const mentions = await findMentions(tx, person);
  await eraseForms(tx, person);
  const ids = await findEmails(tx, person);
  for (const id of ids) await cancelEmailWithin(tx, id, actor);

  // Recipients before their email, in the order of the relay; from here on nobody sends any of it again.
  await tx.query(
    `select from recipient where email_id = any($1) or queue_id in (
       select queue_id from recipient where email_id is null and lower(address) = any($2))
     order by queue_id, ordinal for update`,
    [ids, person.spellings],
  );
  const { rows: emails } = await tx.query<{ id: string; queue_id: string | null; over: boolean }>(
    `select id, queue_id, finished_at is not null as over
     from email where id = any($1) order by id for no key update`,
    [ids],
  );
  const { rows: submitted } = await tx.query<{ queue_id: string; over: boolean }>(
    `select queue_id, bool_and(finished_at is not null) as over
     from recipient
     where queue_id in (select queue_id from recipient where email_id is null and lower(address) = any($1))
     group by queue_id`,
    [person.spellings],
  );
  const over = emails.filter((email) => email.over);
  const overSubmitted = submitted.filter((message) => message.over).map(({ queue_id }) => queue_id);
  await tx.query('delete from message_part where queue_id = any($1)', [
    [...over.flatMap(({ queue_id }) => queue_id ?? []), ...overSubmitted],
  ]);
  await eraseEmails(
    tx,
    over.map(({ id }) => id),
    person,
  );

  await forgetSuppressed(tx, person.spellings);
  const mentioned = await eraseMentions(tx, person, mentions);
  return {
    emails: over.length,
    messages: overSubmitted.length,
    onTheirWay: emails.length - over.length + submitted.length - overSubmitted.length + mentioned,
  };
}

async function findEmails(tx: Queryable, person: Person): Promise<string[]> {
  const found: string[] = [];
  for await (const { after, last } of pagesOf(tx, 'email', mailTables.email)) {
    const { rows } = await tx.query<{ id: string }>(
      `select t.id from email t
       where ${inPage(mailTables.email)} and exists (
         select from jsonb_array_elements(t.recipients) r where lower(r ->> 'address') = any($3))
       order by t.id`,
      [after, last, person.spellings],
    );
    found.push(...rows.map(({ id }) => id));
  }
  return found;
}

/** The form goes on for its other recipients, and so does its mail that has not left. */
async function eraseForms(tx: Queryable, person: Person): Promise<void> {
  const isIn = (column: string) =>
    `exists (select from jsonb_array_elements(t.${column}) r where lower(r ->> 'address') = any($1))`;
  await tx.query(
    `update client_email_config t set
       recipients = ${listWithout('recipients', '$1')}, reply_to = ${listWithout('reply_to', '$1')}, updated_at = now()
     where ${isIn('recipients')} or ${isIn('reply_to')}`,
    [person.spellings],
  );
  await tx.query(
    `update email t set recipients = ${listWithout('recipients', '$1')}, ${mailTables.email.also}
     where t.entry_key is not null and t.queue_id is null and t.status in ('pending', 'held')
       and ${isIn('recipients')}
       and exists (select from jsonb_array_elements(t.recipients) r where lower(r ->> 'address') <> all($1))`,
    [person.spellings],
  );
}

async function eraseEmails(tx: Queryable, ids: readonly string[], person: Person): Promise<void> {
  await tx.query('delete from email_attachment where email_id = any($1)', [ids]);
  await tx.query(
    `update email set
       recipients = (
         select jsonb_agg(case
           when lower(r ->> 'address') = any($2)
             then jsonb_build_object('kind', r -> 'kind', 'address', $3::text, 'name', null)
           else r end order by ordinality)
         from jsonb_array_elements(recipients) with ordinality as all_of_them (r, ordinality)
       ),
       subject = '(erased)', text_body = null, html_body = null, headers = '[]',
       erased_at = coalesce(erased_at, now()), updated_at = now()
     where id = any($1)`,
    [ids, person.spellings, erasedAddress],
  );
}
