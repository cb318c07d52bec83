// An endpoint of webhooks on this machine, and the worker that posts to it.
import { randomBytes, randomUUID } from 'node:crypto';
import type { TestDatabase } from '../kit/database.ts';
import type { Receiver } from '../worker/webhooks/receiver.ts';

/** The environment of a worker that posts. */
export const poster = {
  WEBHOOK_ALLOW_PRIVATE: '127.0.0.1/32',
  SMTP_FROM_EMAIL: 'ann@example.com',
  LOG_LEVEL: 'error',
};

/** Registers it for every event; answers with its id. */
export async function listen({ query }: TestDatabase, { url }: Receiver): Promise<string> {
  const id = randomUUID();
  await query('insert into webhook (id, url) values ($1, $2)', [id, url]);
  await query('insert into webhook_secret (webhook_id, secret) values ($1, $2)', [id, randomBytes(32)]);
  return id;
}

/** Whether nothing waits for it. */
export async function isDelivered({ query }: TestDatabase, { url }: Receiver): Promise<boolean> {
  const { rows } = await query<{ waits: boolean }>(
    `select exists (select from webhook_delivery d join webhook w on w.id = d.webhook_id
       where w.url = $1 and d.status = 'waiting') as waits`,
    [url],
  );
  return rows[0]?.waits === false;
}
