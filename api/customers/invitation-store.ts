// Invitations in the database: a token by its hash, and the email that carried it.
import type { Queryable } from '../../deploy/database.ts';
import { uuidv7 } from '../../deploy/uuid.ts';
import type { InsertedEmail } from '../../relay/client/email/insert.ts';
import type { Status } from '../../relay/client/vocabulary.ts';
import type { Template } from '../templates/render.ts';

export type InvitationRow = {
  readonly email_id: string;
  readonly status: Status | null;
  readonly expires_at: Date;
  readonly accepted_at: Date | null;
  readonly revoked_at: Date | null;
};

/** The owner's latest invitation; undefined when there was none. */
export async function readLatestInvitation(
  q: Queryable,
  ownerId: string,
): Promise<InvitationRow | undefined> {
  const { rows } = await q.query<InvitationRow>(
    `select i.email_id, e.status, i.expires_at, i.accepted_at, i.revoked_at
     from invitation i left join email e on e.id = i.email_id
     where i.owner_id = $1 order by i.id desc limit 1`,
    [ownerId],
  );
  return rows[0];
}

/** The latest invitation of each of these owners, by owner. */
export async function readLatestInvitations(
  q: Queryable,
  ownerIds: readonly string[],
): Promise<ReadonlyMap<string, InvitationRow>> {
  const { rows } = await q.query<InvitationRow & { owner_id: string }>(
    `select asked.owner_id, latest.* from unnest($1::uuid[]) as asked (owner_id)
     cross join lateral (
       select i.email_id, e.status, i.expires_at, i.accepted_at, i.revoked_at
       from invitation i left join email e on e.id = i.email_id
       where i.owner_id = asked.owner_id order by i.id desc limit 1
     ) latest`,
    [ownerIds],
  );
  return new Map(rows.map((row) => [row.owner_id, row]));
}

export type InvitationTerms = { readonly expires_at: Date; readonly template: Template | null };

/** Until when an invitation of now lasts, by the database's clock, and the administrator's template for it. */
export async function readInvitationTerms(tx: Queryable, lastsDays: number): Promise<InvitationTerms> {
  const { rows } = await tx.query<InvitationTerms>(
    `select now() + make_interval(days => $1) as expires_at,
       (select json_build_object('subject', t.subject, 'text', t.text, 'html', t.html)
        from template t where t.kind = 'invitation') as template`,
    [lastsDays],
  );
  return rows[0] as InvitationTerms;
}

/** @param emails of the invitations, in the same order */
export async function insertInvitationRows(
  tx: Queryable,
  invitations: readonly {
    readonly owner: { readonly id: string };
    readonly token: { readonly hash: Buffer };
    readonly expiresAt: Date;
  }[],
  emails: readonly InsertedEmail[],
): Promise<void> {
  await tx.query({
    name: 'insert-invitations',
    text: `
      insert into invitation (id, owner_id, token_hash, email_id, expires_at)
      select * from unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::uuid[], $5::timestamptz[])`,
    values: [
      invitations.map(() => uuidv7()),
      invitations.map(({ owner }) => owner.id),
      invitations.map(({ token }) => token.hash),
      emails.map(({ id }) => id),
      invitations.map(({ expiresAt }) => expiresAt),
    ],
  });
}

/** Ends the token that works now. The ids of the emails that carry it. */
export async function revokeInvitationRows(tx: Queryable, ownerId: string): Promise<string[]> {
  const { rows } = await tx.query<{ email_id: string }>(
    `update invitation set revoked_at = now()
     where owner_id = $1 and accepted_at is null and revoked_at is null
     returning email_id`,
    [ownerId],
  );
  return rows.map(({ email_id }) => email_id);
}

/** Uses the token up and activates owner and customer, whose id it returns; undefined when it does not work. */
export async function acceptInvitationRow(tx: Queryable, hash: Buffer): Promise<string | undefined> {
  const { rows } = await tx.query<{ customer_id: string }>(
    `with accepted as (
       update invitation set accepted_at = now()
       where token_hash = $1 and accepted_at is null and revoked_at is null and expires_at > now()
       returning owner_id
     ), activated as (
       update owner o set activated_at = now(), updated_at = now()
       from accepted where o.id = accepted.owner_id
       returning o.customer_id
     )
     update customer c set status = 'active', activated_at = coalesce(c.activated_at, now()), updated_at = now()
     from activated where c.id = activated.customer_id
     returning c.id as customer_id`,
    [hash],
  );
  return rows[0]?.customer_id;
}

export async function findInvitation(
  tx: Queryable,
  hash: Buffer,
): Promise<Pick<InvitationRow, 'accepted_at' | 'revoked_at'> | undefined> {
  const { rows } = await tx.query<Pick<InvitationRow, 'accepted_at' | 'revoked_at'>>(
    'select accepted_at, revoked_at from invitation where token_hash = $1',
    [hash],
  );
  return rows[0];
}
