// Whoever comes from an identity provider, as a user of ours.
import type { Database } from '../../../deploy/database.ts';
import { uuidv7 } from '../../../deploy/uuid.ts';
import { writeEntry } from '../../audit/write.ts';
import type { Role } from '../role.ts';

type Coming = {
  readonly issuer: string;
  readonly subject: string;
  readonly name: string;
  readonly role: Role;
};

type Row = { id: string; role: Role; isDisabled: boolean };

/** Makes the user, or gives the user the name and the role of today; undefined for one who is disabled. */
export async function admit(database: Database, coming: Coming): Promise<string | undefined> {
  return database.transaction(async (tx) => {
    const { rows } = await tx.query<Row>(
      `select id, role, disabled_at is not null as "isDisabled" from dashboard_user
       where issuer = $1 and subject = $2 for no key update`,
      [coming.issuer, coming.subject],
    );
    const known = rows[0];
    if (known?.isDisabled) return undefined;
    const { rows: now } = await tx.query<{ id: string }>(
      `insert into dashboard_user (id, name, role, issuer, subject) values ($1, $2, $3, $4, $5)
       on conflict (issuer, subject) where issuer is not null do update set name = excluded.name, role = excluded.role
       returning id`,
      [uuidv7(), coming.name, coming.role, coming.issuer, coming.subject],
    );
    const id = (now[0] as { id: string }).id;
    if (known?.role !== coming.role)
      await writeEntry(tx, {
        actor: { kind: 'person', id },
        act: 'take-role-of-provider',
        object: { kind: 'person', id },
        before: known ? { role: known.role } : {},
        after: { role: coming.role },
      });
    return id;
  });
}
