// The bytes of a message as the relay accepted it.
import type { Queryable } from '../../../deploy/database.ts';

/**
 * Part by part, so that nobody holds all of them; undefined when there are none (any more). The api may read them by
 * this function of the database only, mail by mail.
 */
export async function openMessageSource(
  q: Queryable,
  queueId: string,
): Promise<AsyncGenerator<Buffer> | undefined> {
  const first = await readPart(q, queueId, 0);
  return first && partsFrom(q, queueId, first);
}

async function* partsFrom(q: Queryable, queueId: string, first: Buffer): AsyncGenerator<Buffer> {
  let part = 0;
  for (let next: Buffer | undefined = first; next; next = await readPart(q, queueId, ++part)) yield next;
}

async function readPart(q: Queryable, queueId: string, part: number): Promise<Buffer | undefined> {
  const { rows } = await q.query<{ content: Buffer }>('select content from message_source($1, $2)', [
    queueId,
    part,
  ]);
  return rows[0]?.content;
}
