// Forgetting a person: everything that was written to an address, in every table that knows it. What happened stays
// countable (statuses, times, reply codes), but neither words nor the address remain.
import type { Queryable } from '../../deploy/database.ts';
import { maskAddress } from '../../deploy/log.ts';
import { cancelEmailWithin } from '../../relay/client/cancel.ts';

export type Erasure = {
  readonly emails: number;
  /** Mails that other applications submitted over SMTP. */
  readonly messages: number;
  readonly applications: number;
  /** Is being sent at this moment; erase again in a while. */
  readonly stillLeaving: number;
  /** Customers that the person signs in to: they are deleted by themselves. */
  readonly customerIds: readonly string[];
};

/** Erases inside the caller's transaction. Mail to the address that has not left is withdrawn first. */
export async function eraseRecipient(tx: Queryable, address: string, actor: string): Promise<Erasure> {
  const { rows: known } = await tx.query<{ id: string }>(
    `select id from email e
     where exists (select from jsonb_array_elements(e.recipients) r where lower(r ->> 'address') = lower($1))
     order by id`,
    [address],
  );
  for (const { id } of known) await cancelEmailWithin(tx, id, actor);

  const { rows: emails } = await tx.query<{ id: string; queue_id: string | null; busy: boolean }>(
    `select id, queue_id, status = 'sending' as busy from email where id = any($1) order by id for no key update`,
    [known.map(({ id }) => id)],
  );
  const quiet = emails.filter(({ busy }) => !busy);
  const masked = maskAddress(address);
  await eraseEmails(tx, { ids: quiet.map(({ id }) => id), address, masked });

  const queueIds = quiet.flatMap(({ queue_id }) => queue_id ?? []);
  const submitted = await findSubmitted(tx, address);
  await eraseMessages(tx, { queueIds: [...queueIds, ...submitted.quiet], address, masked });
  await tx.query('delete from idempotency_key where strpos(lower(answer), lower($1)) > 0', [address]);
  return {
    emails: quiet.length,
    messages: submitted.quiet.length,
    applications: await eraseApplications(tx, address, masked),
    stillLeaving: emails.length - quiet.length + submitted.busy.length,
    customerIds: await findCustomers(tx, address),
  };
}

type Which = { readonly address: string; readonly masked: string };

async function eraseEmails(tx: Queryable, { ids, address, masked }: Which & { ids: readonly string[] }) {
  await tx.query(
    `update email e set
       subject = '(erased)', text_body = null, html_body = null, headers = '[]',
       recipients = (
         select jsonb_agg(
           case when lower(r ->> 'address') = lower($2) then jsonb_build_object('kind', r -> 'kind', 'address', $3::text, 'name', null)
           else r end)
         from jsonb_array_elements(e.recipients) r
       ),
       erased_at = coalesce(erased_at, now()), updated_at = now()
     where id = any($1)`,
    [ids, address, masked],
  );
  await tx.query('delete from email_attachment where email_id = any($1)', [ids]);
  await eraseEvents(tx, { condition: 'email_id = any($1::uuid[])', values: ids, address, masked });
}

/** Messages without an email of ours; those of which any recipient is being sent to are left for later. */
async function findSubmitted(tx: Queryable, address: string): Promise<{ quiet: string[]; busy: string[] }> {
  const { rows } = await tx.query<{ queue_id: string; busy: boolean }>(
    `select r.queue_id, bool_or(r.status not in ('bounced', 'expired', 'cancelled', 'captured', 'sent')) as busy
     from recipient r
     where r.email_id is null
       and r.queue_id in (select queue_id from recipient where lower(address) = lower($1) and email_id is null)
     group by r.queue_id`,
    [address],
  );
  return {
    quiet: rows.filter(({ busy }) => !busy).map(({ queue_id }) => queue_id),
    busy: rows.filter(({ busy }) => busy).map(({ queue_id }) => queue_id),
  };
}

async function eraseMessages(
  tx: Queryable,
  { queueIds, address, masked }: Which & { queueIds: readonly string[] },
) {
  await tx.query('delete from message_part where queue_id = any($1)', [queueIds]);
  await tx.query(
    `update recipient set address = $3, reply = null, reason_detail = null
     where queue_id = any($1) and lower(address) = lower($2)`,
    [queueIds, address, masked],
  );
  await eraseEvents(tx, { condition: 'queue_id = any($1::text[])', values: queueIds, address, masked });
}

/** A provider's reply quotes the address more often than not. */
async function eraseEvents(
  tx: Queryable,
  { condition, values, address, masked }: Which & { condition: string; values: readonly string[] },
) {
  await tx.query(
    `update event set
       recipient = case when lower(recipient) = lower($2) then $3 else recipient end,
       detail = regexp_replace(detail::text, $4, $3, 'gi')::jsonb
     where ${condition} and (lower(recipient) = lower($2) or detail::text ~* $4)`,
    [values, address, masked, address.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')],
  );
}

async function eraseApplications(tx: Queryable, address: string, masked: string): Promise<number> {
  const { rowCount } = await tx.query(
    `update application set
       email = $2, contact_name = '(erased)', phone = null, website = null, message = null, note = null,
       updated_at = now()
     where lower(email) = lower($1)`,
    [address, masked],
  );
  return rowCount;
}

async function findCustomers(tx: Queryable, address: string): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>(
    `select c.id from customer c join owner o on o.customer_id = c.id
     where lower(c.email) = lower($1) or lower(o.email) = lower($1) order by c.id`,
    [address],
  );
  return rows.map(({ id }) => id);
}
