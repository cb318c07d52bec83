// How much of its hour and its day a key has used. The count is in the database, one row for a key, so that all replicas
// of the api and of the relay share it.
import type { Queryable } from '../../../deploy/database.ts';

/** Which limit a mail does not fit into, and when that begins anew. */
export type OverLimit = {
  readonly span: 'hour' | 'day';
  readonly maximum: number;
  readonly used: number;
  readonly seconds: number;
};

/**
 * Counts recipients, unless they are too many: then nothing is counted and the answer tells why.
 *
 * @param tx the transaction that stores the mail: without the mail the count goes as well
 */
export async function countMailOfKey(
  tx: Queryable,
  keyId: string,
  recipients: number,
): Promise<OverLimit | undefined> {
  const { rows } = await tx.query<Counted>({
    name: 'count-mail-of-key',
    text: 'select span, maximum, used, seconds from count_mail_of_key($1, $2)',
    values: [keyId, recipients],
  });
  return overOf(rows);
}

/**
 * The same in a transaction of its own, which does not wait for the disk: a count that a crash takes costs the accuracy
 * of one moment.
 *
 * @param recipients a negative number gives them back
 */
export async function countMailOfKeyAtOnce(
  q: Queryable,
  keyId: string,
  recipients: number,
): Promise<OverLimit | undefined> {
  const { rows } = await q.query<Counted>({
    name: 'count-mail-of-key-at-once',
    text: `
      select c.span, c.maximum, c.used, c.seconds
      from (select set_config('synchronous_commit', 'off', true) as now) quick, count_mail_of_key($1, $2) c`,
    values: [keyId, recipients],
  });
  return overOf(rows);
}

type Counted = OverLimit | { readonly span: null };

function overOf([over]: readonly Counted[]): OverLimit | undefined {
  return over && over.span !== null ? over : undefined;
}
