// Erasing a person: everywhere an address received mail or was to receive it, bodies go and the address is masked.
// That mail was sent, when, and what the provider said stays.
import type { Queryable } from '../../deploy/database.ts';
import { cancelEmailWithin } from './cancel.ts';

export type ErasedMail = {
  readonly emails: number;
  /** Mails that other applications submitted over SMTP. */
  readonly messages: number;
  /** Those that are not finished, for this address or for another one of theirs: ask again when they are. */
  readonly onTheirWay: number;
};

/** Tells nothing of the address, unlike the first letter and the domain that a log shows. */
export const erasedAddress = 'erased@erased.invalid';

/**
 * Erases one address, in any case of letters, inside the caller's transaction. What has not left is cancelled first;
 * what is on its way keeps its bytes, because they may have to be sent again. May be repeated.
 */
export async function eraseRecipient(tx: Queryable, address: string, actor: string): Promise<ErasedMail> {
  const { rows: known } = await tx.query<{ id: string }>(
    `select id from email e
     where exists (select from jsonb_array_elements(e.recipients) r where lower(r ->> 'address') = lower($1))
     order by id`,
    [address],
  );
  const ids = known.map(({ id }) => id);
  for (const id of ids) await cancelEmailWithin(tx, id, actor);

  // Recipients before their email, in the order of the relay; from here on nobody sends any of it again.
  await tx.query(
    `select from recipient where email_id = any($1) or queue_id in (
       select queue_id from recipient where email_id is null and lower(address) = lower($2))
     order by queue_id, ordinal for update`,
    [ids, address],
  );
  const { rows: emails } = await tx.query<{ id: string; queue_id: string | null; over: boolean }>(
    `select id, queue_id, finished_at is not null as over
     from email where id = any($1) order by id for no key update`,
    [ids],
  );
  const { rows: submitted } = await tx.query<{ queue_id: string; over: boolean }>(
    `select queue_id, bool_and(finished_at is not null) as over
     from recipient
     where queue_id in (select queue_id from recipient where email_id is null and lower(address) = lower($1))
     group by queue_id`,
    [address],
  );

  const over = emails.filter((email) => email.over);
  const overSubmitted = submitted.filter((message) => message.over).map(({ queue_id }) => queue_id);
  const queueIds = [...over.flatMap(({ queue_id }) => queue_id ?? []), ...overSubmitted];
  await eraseMessages(tx, queueIds, address);
  await eraseEmails(
    tx,
    over.map(({ id }) => id),
    address,
  );
  await eraseEvents(tx, { emailIds: over.map(({ id }) => id), queueIds: overSubmitted }, address);
  return {
    emails: over.length,
    messages: overSubmitted.length,
    onTheirWay: emails.length - over.length + submitted.length - overSubmitted.length,
  };
}

async function eraseMessages(tx: Queryable, queueIds: readonly string[], address: string): Promise<void> {
  await tx.query('delete from message_part where queue_id = any($1)', [queueIds]);
  await tx.query(
    `update recipient set
       address = $3,
       reply = regexp_replace(reply, $4, $3, 'gi'),
       reason_detail = regexp_replace(reason_detail, $4, $3, 'gi')
     where queue_id = any($1) and lower(address) = lower($2)`,
    [queueIds, address, erasedAddress, literal(address)],
  );
}

async function eraseEmails(tx: Queryable, ids: readonly string[], address: string): Promise<void> {
  await tx.query('delete from email_attachment where email_id = any($1)', [ids]);
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
       subject = '(erased)', text_body = null, html_body = null, headers = '[]',
       erased_at = coalesce(erased_at, now()), updated_at = now()
     where id = any($1)`,
    [ids, address, erasedAddress, literal(address)],
  );
}

/** A provider's reply quotes the address more often than not. */
async function eraseEvents(
  tx: Queryable,
  { emailIds, queueIds }: { emailIds: readonly string[]; queueIds: readonly string[] },
  address: string,
): Promise<void> {
  await tx.query(
    `update event set
       recipient = case when lower(recipient) = lower($3) then $4 else recipient end,
       detail = regexp_replace(detail::text, $5, $4, 'gi')::jsonb
     where (email_id = any($1) or (email_id is null and queue_id = any($2)))
       and (lower(recipient) = lower($3) or detail::text ~* $5)`,
    [emailIds, queueIds, address, erasedAddress, literal(address)],
  );
}

/** The address as a regular expression that means nothing but itself. */
const literal = (address: string) => address.replace(/[^0-9A-Za-z@_\u0080-\uffff]/g, String.raw`\$&`);
