// An entry of the suppression list by its id, for clients that know it so.
import type { Queryable } from '../../../deploy/database.ts';

export type SuppressionKey = { readonly address: string; readonly stream: string | undefined };

/** What it is otherwise found by; undefined when there is none, or when its person was erased. */
export async function keyOfSuppression(q: Queryable, id: string): Promise<SuppressionKey | undefined> {
  const { rows } = await q.query<{ address: string; stream: string }>(
    'select address, stream from suppression where id = $1 and address is not null',
    [id],
  );
  const [row] = rows;
  return row && { address: row.address, stream: row.stream || undefined };
}
