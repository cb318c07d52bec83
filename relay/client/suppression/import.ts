// Many entries of the suppression list at once.
import type { Queryable } from '../../../deploy/database.ts';
import { uuidv7 } from '../../../deploy/uuid.ts';
import { type SuppressionReason, spellingsFor } from './suppression.ts';

export type ImportedSuppression = {
  readonly address: string;
  readonly reason: SuppressionReason;
  /** Empty for all mail. */
  readonly stream: string;
  readonly createdAt: Date;
  readonly reply: string | null;
};

const atOnce = 1_000;

/** What stands already stays as it is, unless it is over or its person was erased. Answers how many are new. */
export async function importSuppressions(
  tx: Queryable,
  entries: readonly ImportedSuppression[],
): Promise<number> {
  const { rows } = await tx.query<{ expired: boolean }>(
    'select exists (select from suppression where expires_at <= now()) as expired',
  );
  const isAnyOver = rows[0]?.expired === true;
  let added = 0;
  for (let start = 0; start < entries.length; start += atOnce) {
    const some = distinct(entries.slice(start, start + atOnce));
    if (isAnyOver) await removeExpired(tx, some);
    added += await insertSome(tx, some);
  }
  return added;
}

type Row = ImportedSuppression & {
  readonly id: string;
  readonly ascii: string;
  readonly unicode: string | null;
};

function distinct(entries: readonly ImportedSuppression[]): readonly Row[] {
  const rows = new Map<string, Row>();
  for (const entry of entries) {
    const [ascii = '', unicode = null] = spellingsFor(entry.address);
    const key = `${ascii} ${entry.stream}`;
    if (!rows.has(key)) rows.set(key, { ...entry, id: uuidv7(), ascii, unicode });
  }
  return [...rows.values()];
}

async function removeExpired(tx: Queryable, some: readonly Row[]): Promise<void> {
  await tx.query(
    `delete from suppression where expires_at <= now() and digest in (
       select suppression_digest(ascii) from unnest($1::text[]) as ascii)`,
    [some.map(({ ascii }) => ascii)],
  );
}

async function insertSome(tx: Queryable, some: readonly Row[]): Promise<number> {
  const { rows } = await tx.query<{ id: string }>(
    `insert into suppression as s (id, address, digest, digest_unicode, stream, reason, reply, created_at, source)
     select g.id, g.address, suppression_digest(g.ascii),
       case when g.unicode is not null then suppression_digest(g.unicode) end,
       g.stream, g.reason, g.reply, g."createdAt", 'import'
     from jsonb_to_recordset($1) as g (
       id uuid, address text, ascii text, unicode text, stream text, reason text, reply text, "createdAt" timestamptz)
     on conflict (digest, stream) do update set address = excluded.address where s.address is null
     returning s.id`,
    [JSON.stringify(some)],
  );
  // An erased person's entry that got its address back keeps its id. That is no join for the database: it would guess that
  // the list is short, and compare each with each.
  const drawn = new Set(some.map(({ id }) => id));
  return rows.filter(({ id }) => drawn.has(id)).length;
}
