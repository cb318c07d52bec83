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
  let added = 0;
  for (let start = 0; start < entries.length; start += atOnce) {
    added += await insertSome(tx, entries.slice(start, start + atOnce));
  }
  return added;
}

async function insertSome(tx: Queryable, entries: readonly ImportedSuppression[]): Promise<number> {
  const distinct = new Map<string, object>();
  for (const entry of entries) {
    const [ascii = '', unicode = null] = spellingsFor(entry.address);
    const key = `${ascii} ${entry.stream}`;
    if (!distinct.has(key)) distinct.set(key, { ...entry, id: uuidv7(), ascii, unicode });
  }
  const rows = JSON.stringify([...distinct.values()]);
  await tx.query(
    `delete from suppression where expires_at <= now() and digest in (
       select suppression_digest(g.ascii) from jsonb_to_recordset($1) as g (ascii text))`,
    [rows],
  );
  const { rows: result } = await tx.query<{ added: number }>(
    `with written as (
       insert into suppression as s (id, address, digest, digest_unicode, stream, reason, reply, created_at, source)
       select g.id, g.address, suppression_digest(g.ascii),
         case when g.unicode is not null then suppression_digest(g.unicode) end,
         g.stream, g.reason, g.reply, g."createdAt", 'import'
       from jsonb_to_recordset($1) as g (
         id uuid, address text, ascii text, unicode text, stream text, reason text, reply text, "createdAt" timestamptz)
       on conflict (digest, stream) do update set address = excluded.address where s.address is null
       returning s.id
     )
     select count(*) filter (where g.id is not null)::integer as added
     from written left join jsonb_to_recordset($1) as g (id uuid) using (id)`,
    [rows],
  );
  return result[0]?.added ?? 0;
}
