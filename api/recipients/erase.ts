// Forgetting a person: mail and its traces by those who own them (relay/client/erasure/erase.ts), and here what only
// the API knows. What happened stays countable (statuses, times, reply codes), but neither words nor the address remain.
import type { Queryable } from '../../deploy/database.ts';
import { type ErasedMail, eraseRecipient } from '../../relay/client/erasure/erase.ts';
import { erasedAddress, type Person, personOf } from '../../relay/client/erasure/person.ts';
import { redactTable } from '../../relay/client/erasure/redact.ts';
import { apiTables } from './personal.ts';

export type Erasure = ErasedMail & {
  readonly applications: number;
  /** Customers that the person signs in to: they are deleted by themselves. */
  readonly customerIds: readonly string[];
};

/** Erases inside the caller's transaction. Mail to the address that has not left is withdrawn first. */
export async function forgetPerson(tx: Queryable, address: string, actor: string): Promise<Erasure> {
  const person = personOf(address);
  const mail = await eraseRecipient(tx, address, actor);
  // Stored answers quote what was asked for; without them a repeated request is a new one.
  await tx.query('delete from idempotency_key where answer ~* $1 or path ~* $1 or key ~* $1', [
    person.pattern,
  ]);
  const applications = await eraseApplications(tx, person);
  for (const [name, table] of Object.entries(apiTables)) await redactTable(tx, person, name, table);
  return { ...mail, applications, customerIds: await findCustomersOf(tx, person) };
}

async function eraseApplications(tx: Queryable, { spellings }: Person): Promise<number> {
  const { rowCount } = await tx.query(
    `update application set
       email = $2, company = '(erased)', contact_name = '(erased)', phone = null, website = null, message = null,
       note = null, reason = null, updated_at = now()
     where lower(email) = any($1)`,
    [spellings, erasedAddress],
  );
  return rowCount;
}

async function findCustomersOf(tx: Queryable, { spellings }: Person): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>(
    `select id from customer where lower(email) = any($1)
     union select customer_id from owner where lower(email) = any($1) order by id`,
    [spellings],
  );
  return rows.map(({ id }) => id);
}
