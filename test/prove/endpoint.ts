// The endpoint of a run: it writes down every request, fails the first attempt of every third event, and has each
// signature verified by the libraries that receivers use.
import { setTimeout as pause } from 'node:timers/promises';
import { Resend } from 'resend';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import type { OwnPostgres } from '../kit/database.ts';
import { until } from '../kit/until.ts';
import { type Heard, startReceiver } from '../worker/webhooks/receiver.ts';
import type { Told } from './events.ts';

type Api = { post(path: string, body: unknown): Promise<{ status: number; body: { secret?: string } }> };

export type Endpoint = AsyncDisposable & {
  /** All requests so far, in their order. */
  readonly told: readonly Told[];
  /** How many it answered 500. */
  readonly failed: number;
};

/** For api and worker: the endpoint is on this machine. */
export const reachesEndpoint = { WEBHOOK_ALLOW_PRIVATE: '127.0.0.1/32' };

export async function startEndpoint(api: Api): Promise<Endpoint> {
  const receiver = await startReceiver();
  const told: Told[] = [];
  const seen = new Set<string>();
  let failed = 0;
  let secret: string | undefined;
  receiver.answer((response, heard) => {
    const isNew = !seen.has(heard.id);
    seen.add(heard.id);
    const fails = isNew && seen.size % 3 === 0;
    if (fails) failed++;
    if (heard.event.type.startsWith('email.')) told.push({ ...toldOf(heard, secret ?? ''), taken: !fails });
    response.writeHead(fails ? 500 : 204).end();
  });
  // As every answer: it may be lost with its process.
  await until(
    async () => {
      const { status, body } = await api.post('/api/v1/webhooks', { url: receiver.url });
      secret = body.secret;
      return status === 201;
    },
    { timeoutMs: 60_000, what: 'the endpoint to be made' },
  );
  return {
    told,
    get failed() {
      return failed;
    },
    [Symbol.asyncDispose]: () => receiver[Symbol.asyncDispose](),
  };
}

function toldOf({ id, body, headers, event }: Heard, secret: string): Omit<Told, 'taken'> {
  const { queue_id: queueId, email_id: emailId, recipient, status, seq } = event.data;
  return {
    id,
    key: `${queueId ?? emailId} ${recipient}`,
    type: event.type,
    status: String(status),
    seq: Number(seq),
    body,
    refusedBy: Object.entries(verifiers).flatMap(([name, verify]) => {
      try {
        verify(secret, body, headers);
        return [];
      } catch {
        return [name];
      }
    }),
  };
}

type Verify = (secret: string, body: string, headers: Heard['headers']) => unknown;

/** Each throws when the signature is not valid. */
const verifiers: Readonly<Record<string, Verify>> = {
  standardwebhooks: (secret, body, headers) => new StandardWebhook(secret).verify(body, headers),
  svix: (secret, body, headers) => new SvixWebhook(secret).verify(body, headers),
  resend: (secret, body, headers) =>
    new Resend('re_example').webhooks.verify({
      payload: body,
      headers: {
        id: headers['svix-id'] ?? '',
        timestamp: headers['svix-timestamp'] ?? '',
        signature: headers['svix-signature'] ?? '',
      },
      webhookSecret: secret,
    }),
};

/** Without any progress for so long nothing more will come: longer than a lease and the first retries. */
const patienceMs = 60_000;

/** Waits until every event was delivered; tells how many were not. */
export async function settleEvents({ query }: Pick<OwnPostgres, 'query'>): Promise<number> {
  let fewest = Number.POSITIVE_INFINITY;
  for (let since = performance.now(); performance.now() - since < patienceMs; await pause(250)) {
    const { rows } = await query<{ n: number }>(
      `select count(*)::integer as n from webhook_delivery where status <> 'delivered'`,
    );
    const waiting = rows[0]?.n ?? 0;
    if (waiting === 0) return 0;
    if (waiting >= fewest) continue;
    fewest = waiting;
    since = performance.now();
  }
  return fewest;
}
