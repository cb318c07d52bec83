// Writing the audit list, in the transaction of the act.
import type { Queryable } from '../../deploy/database.ts';
import { uuidv7 } from '../../deploy/uuid.ts';
import { firstEmailId } from '../dashboard/place.ts';
import type { Actor } from './actor.ts';
import type { ObjectKind, State } from './state.ts';

export type EntryDraft = {
  readonly actor: Actor;
  readonly act: string;
  readonly object?: { readonly kind: ObjectKind; readonly id: string | undefined } | undefined;
  readonly before?: State;
  readonly after?: State;
};

/** An address, and the name of a form, which may be one, are kept as the digest that the suppression list has too. */
export async function writeEntry(tx: Queryable, entry: EntryDraft): Promise<void> {
  await tx.query({
    name: 'audit-entry',
    text: `insert into audit_entry (id, actor_kind, actor_id, act, object_kind, object_id, before, after)
           values ($1, $2, $3, $4, $5::text,
             case when $5::text in ('suppression', 'recipient', 'form') then encode(suppression_digest($6::text), 'hex')
               else $6::text end,
             $7, $8)`,
    values: [
      uuidv7(),
      entry.actor.kind,
      entry.actor.id,
      entry.act,
      entry.object?.kind ?? null,
      entry.object?.id ?? null,
      JSON.stringify(entry.before ?? {}),
      JSON.stringify(entry.after ?? {}),
    ],
  });
}

const refusedPerHour = 100;

/** A sign-in that was refused; of those only so many in an hour, because strangers cause them. */
export async function writeRefusedSignIn(q: Queryable, userId: string | undefined): Promise<void> {
  await q.query({
    name: 'audit-refused-sign-in',
    text: `insert into audit_entry (id, actor_kind, act, object_kind, object_id)
           select $1, 'nobody', 'refuse-sign-in', case when $2::text is not null then 'person' end, $2::text
           where (select count(*) from (
             select from audit_entry where act = 'refuse-sign-in' and id > $4::uuid limit $3
           ) recent) < $3`,
    // The time is in the first part of an id.
    values: [uuidv7(), userId ?? null, refusedPerHour, firstEmailId(Date.now() - 3_600_000)],
  });
}
