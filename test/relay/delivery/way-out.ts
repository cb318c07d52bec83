// Delivery in this process, on a database and a provider of one's own, and mail that is queued without a front door.
import { randomUUID } from 'node:crypto';
import { openDatabase, type Queryable, type Statement } from '../../../deploy/database.ts';
import { readRelayEnvironment } from '../../../deploy/environment.ts';
import { openLog } from '../../../deploy/log.ts';
import type { Alert } from '../../../relay/alerts/alerts.ts';
import { readMessageTimeline, readTimeline } from '../../../relay/client/email/timeline.ts';
import { newQueueId } from '../../../relay/client/queue-id.ts';
import { type Delivery, startDelivery } from '../../../relay/delivery/delivery.ts';
import type { Timeouts } from '../../../relay/delivery/timeouts.ts';
import { type TestDatabase, urlOfProcess } from '../../kit/database.ts';
import type { Mode, Provider } from '../../kit/provider.ts';
import { until } from '../../kit/until.ts';

type Query = TestDatabase['query'];

export type WayOut = AsyncDisposable & {
  readonly delivery: Delivery;
  readonly instance: string;
  /** What somebody was told of, in this order. */
  readonly alerts: readonly Alert[];
};

/** The relay's environment for a provider: what main.ts would have read. */
export function environmentFor(
  provider: Provider | undefined,
  more: Record<string, string> = {},
  mode: Mode = 'implicit',
) {
  return readRelayEnvironment({
    DATABASE_URL: 'postgres://unused',
    RELAY_PASSWORD: 'a relay password',
    ...(provider ? provider.environment(mode) : {}),
    SMTP_ALLOWED_SENDERS: '*',
    RETRY_SCHEDULE: '1s,5s',
    SMTP_TIMEOUT: '2',
    ...more,
  });
}

/** Starts delivering. Lines of the log below `warn` are dropped, unless TEST_LOG says otherwise. */
export async function openWayOut(
  url: string,
  environment: ReturnType<typeof environmentFor>,
  timeouts: Partial<Timeouts> = {},
): Promise<WayOut> {
  const log = openLog('relay', (process.env.TEST_LOG ?? 'silent') as 'silent');
  const database = openDatabase({ url: urlOfProcess(url, 'relay'), applicationName: 'test relay', log });
  const instance = randomUUID();
  const alerts: Alert[] = [];
  const delivery = await startDelivery({
    database,
    environment,
    log,
    instance,
    alert: (alert) => alerts.push(alert),
    timeouts: { pollMs: 50, quietMs: 50, ...timeouts },
  });
  return {
    delivery,
    instance,
    alerts,
    async [Symbol.asyncDispose]() {
      await delivery[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

export type QueuedMail = {
  readonly to?: readonly string[];
  readonly from?: string;
  readonly headerFrom?: string;
  readonly credential?: string;
  readonly priority?: number;
  readonly onUncertain?: 'resend' | 'hold';
  readonly content?: Buffer | string;
  /** Whether it was taken for 8-bit text; true by default, which every content fits. */
  readonly eightBit?: boolean;
  readonly subject?: string;
  readonly status?: 'queued' | 'held';
  readonly reason?: string;
  /** SQL, such as `now() - interval '4 days'`. */
  readonly receivedAt?: string;
  readonly emailId?: string;
};

export type Queued = { readonly queueId: string; readonly messageId: string };

const partBytes = 256 * 1024;

/** Puts a mail into the queue as the accept path does. */
export async function queueMail(query: Query, mail: QueuedMail = {}): Promise<Queued> {
  const [queued] = await queueMails(query, [mail]);
  return queued as Queued;
}

export async function queueMails(query: Query, mails: readonly QueuedMail[]): Promise<Queued[]> {
  const rows = mails.map((mail) => {
    const queueId = newQueueId(new Date());
    const messageId = `<${queueId}@test.example>`;
    const from = mail.from ?? 'mailer@example.com';
    const to = mail.to ?? ['ann@example.org'];
    const content =
      mail.content === undefined
        ? Buffer.from(
            `From: <${from}>\r\nTo: <${to[0]}>\r\nSubject: ${mail.subject ?? 'Hello'}\r\nMessage-ID: ${messageId}\r\n\r\nHello.\r\n`,
          )
        : Buffer.from(mail.content);
    return { mail, queueId, messageId, from, to, content };
  });
  await query(
    `insert into message (queue_id, email_id, credential, sender, header_from, message_id, size, priority, on_uncertain,
       eight_bit, received_at)
     select q, e, c, s, f, m, z, p, u, b, r
     from unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::smallint[], $9::text[],
         $10::bool[])
       as t (q, e, c, s, f, m, z, p, u, b), lateral (select ${mails[0]?.receivedAt ?? 'now()'} as r) at`,
    [
      rows.map(({ queueId }) => queueId),
      rows.map(({ mail }) => mail.emailId ?? null),
      rows.map(({ mail }) => mail.credential ?? 'app'),
      rows.map(({ from }) => from),
      rows.map(({ mail, from }) => mail.headerFrom ?? from),
      rows.map(({ messageId }) => messageId),
      rows.map(({ content }) => content.length),
      rows.map(({ mail }) => mail.priority ?? 1),
      rows.map(({ mail }) => mail.onUncertain ?? null),
      rows.map(({ mail }) => mail.eightBit ?? true),
    ],
  );
  for (const { queueId, content } of rows) {
    for (let part = 0; part * partBytes < content.length; part++) {
      await query('insert into message_part values ($1, $2, $3)', [
        queueId,
        part,
        content.subarray(part * partBytes, (part + 1) * partBytes),
      ]);
    }
  }
  const recipients = rows.flatMap(({ mail, queueId, to }) =>
    to.map((address, ordinal) => ({ mail, queueId, address, ordinal })),
  );
  await query(
    `insert into recipient (queue_id, ordinal, email_id, address, status, priority, next_attempt_at, reason)
     select q, o, e, a, s::mail_status, p, case when s = 'queued' then now() end, r
     from unnest($1::text[], $2::smallint[], $3::uuid[], $4::text[], $5::text[], $6::smallint[], $7::text[])
       as t (q, o, e, a, s, p, r)`,
    [
      recipients.map(({ queueId }) => queueId),
      recipients.map(({ ordinal }) => ordinal),
      recipients.map(({ mail }) => mail.emailId ?? null),
      recipients.map(({ address }) => address),
      recipients.map(({ mail }) => mail.status ?? 'queued'),
      recipients.map(({ mail }) => mail.priority ?? 1),
      recipients.map(({ mail }) => mail.reason ?? null),
    ],
  );
  return rows.map(({ queueId, messageId }) => ({ queueId, messageId }));
}

export type RecipientRow = {
  ordinal: number;
  address: string;
  status: string;
  reason: string | null;
  reasonDetail: string | null;
  attempts: number;
  route: string | null;
  stage: string | null;
  replyCode: number | null;
  enhancedCode: string | null;
  reply: string | null;
  providerQueueId: string | null;
  markedAt: Date | null;
  resends: number;
  nextInSeconds: number | null;
};

export async function recipientsOf(query: Query, queueId: string): Promise<RecipientRow[]> {
  const { rows } = await query<RecipientRow>(
    `select ordinal, address, status, reason, reason_detail as "reasonDetail", attempts, route, stage,
       reply_code as "replyCode", enhanced_code as "enhancedCode", reply, provider_queue_id as "providerQueueId",
       marked_at as "markedAt", resends, extract(epoch from next_attempt_at - now())::float8 as "nextInSeconds"
     from recipient where queue_id = $1 order by ordinal`,
    [queueId],
  );
  return rows;
}

/** The first recipient once it has come to rest in one of these statuses. */
export function settled(
  query: Query,
  queueId: string,
  statuses: readonly string[] = ['sent', 'bounced', 'held', 'uncertain', 'deferred', 'expired'],
  timeoutMs = 20_000,
): Promise<RecipientRow> {
  return until(
    async () => {
      const [first] = await recipientsOf(query, queueId);
      return first && statuses.includes(first.status) ? first : undefined;
    },
    { what: `${queueId} to be ${statuses.join(' or ')}`, timeoutMs },
  );
}

/** What the timeline of a mail says of its way through the relay. */
export async function eventsOf(
  query: Query,
  queueId: string,
): Promise<{ type: string; recipient: string | null; detail: Record<string, unknown> }[]> {
  const { rows } = await query<{ id: string | null }>(
    'select email_id as id from message where queue_id = $1',
    [queueId],
  );
  const ask = ({ text, values }: Statement) => query(text, values);
  const q = { query: ask } as unknown as Queryable;
  const emailId = rows[0]?.id;
  const events = await (emailId ? readTimeline(q, emailId) : readMessageTimeline(q, queueId));
  return events.filter((event) => event.queueId === queueId);
}

export async function countByStatus(query: Query): Promise<Record<string, number>> {
  const { rows } = await query<{ status: string; n: number }>(
    'select status, count(*)::int as n from recipient group by 1',
  );
  return Object.fromEntries(rows.map(({ status, n }) => [status, n]));
}
