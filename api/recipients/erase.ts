// Forgetting a person: mail and its traces by those who own them (relay/client/erase.ts), and here what only the API
// knows. What happened stays countable (statuses, times, reply codes), but neither words nor the address remain.
import type { Queryable } from '../../deploy/database.ts';
import { type ErasedMail, erasedAddress, eraseRecipient } from '../../relay/client/erase.ts';

export type Erasure = ErasedMail & {
  readonly applications: number;
  /** Customers that the person signs in to: they are deleted by themselves. */
  readonly customerIds: readonly string[];
};

/** Erases inside the caller's transaction. Mail to the address that has not left is withdrawn first. */
export async function forgetPerson(tx: Queryable, address: string, actor: string): Promise<Erasure> {
  const mail = await eraseRecipient(tx, address, actor);
  // Stored answers quote what was asked for; without them a repeated request is a new one.
  await tx.query('delete from idempotency_key where strpos(lower(answer), lower($1)) > 0', [address]);
  return {
    ...mail,
    applications: await eraseApplications(tx, address),
    customerIds: await findCustomers(tx, address),
  };
}

async function eraseApplications(tx: Queryable, address: string): Promise<number> {
  const { rowCount } = await tx.query(
    `update application set
       email = $2, contact_name = '(erased)', phone = null, website = null, message = null, note = null,
       updated_at = now()
     where lower(email) = lower($1)`,
    [address, erasedAddress],
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
