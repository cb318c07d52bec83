// The octets of one message on their way into the database: parts of at most 256 KB. A message that fits into one
// part is written with its row; the parts of a larger one are stored while it arrives.
import type { Queryable } from '../../deploy/database.ts';

// pg keeps a parameter twice while it writes it; larger parts would cost memory and save nothing.
export const partBytes = 262_144;

export type Parts = {
  /** Resolves when the octets are stored, or kept for the next part. Rejects when the database does. */
  append(bytes: Buffer): Promise<void>;
  /** What must be stored together with the message's row; undefined when all parts are stored already. */
  finish(): Promise<Buffer | undefined>;
  /** Removes what was stored. What it cannot remove belongs to nobody, and housekeeping finds it. */
  discard(): Promise<void>;
  readonly size: number;
};

export function openParts(database: Queryable, queueId: string): Parts {
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let stored = 0;
  let tried = false;
  let size = 0;

  async function store(content: Buffer): Promise<void> {
    tried = true;
    await database.query({
      name: 'store-part',
      text: 'insert into message_part (queue_id, part, content) values ($1, $2, $3)',
      values: [queueId, stored, content],
    });
    stored++;
  }

  return {
    async append(bytes) {
      size += bytes.length;
      waiting.push(bytes);
      waitingBytes += bytes.length;
      if (waitingBytes <= partBytes) return;

      const all = Buffer.concat(waiting, waitingBytes);
      let at = 0;
      for (; all.length - at > partBytes; at += partBytes) await store(all.subarray(at, at + partBytes));
      // Copied, so that the rest does not keep all of it in memory.
      waiting = [Buffer.from(all.subarray(at))];
      waitingBytes = all.length - at;
    },
    async finish() {
      const rest = waiting.length === 1 ? (waiting[0] as Buffer) : Buffer.concat(waiting, waitingBytes);
      waiting = [];
      if (stored === 0) return rest;
      await store(rest);
      return undefined;
    },
    async discard() {
      waiting = [];
      if (tried) await database.query('delete from message_part where queue_id = $1', [queueId]);
    },
    get size() {
      return size;
    },
  };
}
