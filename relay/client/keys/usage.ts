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
  const { rows } = await tx.query<OverLimit | { span: null }>({
    name: 'count-mail-of-key',
    text: 'select span, maximum, used, seconds from count_mail_of_key($1, $2)',
    values: [keyId, recipients],
  });
  const over = rows[0];
  return over && over.span !== null ? over : undefined;
}
