// A sender's domain as the API shows it.
import { z } from 'zod';
import type { Queryable } from '../../deploy/database.ts';
import type { CanaryReport } from '../../relay/client/status/canaries.ts';
import { listCanaries } from '../../relay/client/status/canaries.ts';
import { readCauses } from '../../relay/client/status/causes.ts';
import type { DomainReport } from '../../relay/client/status/domains.ts';
import { listSenderRefusals, type SenderRefusal } from '../../relay/client/status/refused-senders.ts';
import { instant } from '../fields.ts';

const result = z.enum(['pass', 'note', 'warn', 'fail', 'unknown', 'not-applicable']);

const canaryView = z
  .strictObject({
    recipient: z.string(),
    queue_id: z.string(),
    queued_at: instant,
    state: z.enum(['unsent', 'waiting', 'returned', 'missing']).meta({
      description: '`missing`: the provider took it a quarter of an hour ago, and it is not in the mailbox.',
    }),
    returned_at: instant.nullable(),
    delay_seconds: z
      .number()
      .nullable()
      .meta({ description: "From the provider's 250 to the mailbox, by two clocks." }),
    folder: z.string().nullable(),
    is_junk: z.boolean().nullable(),
    result: result.nullable(),
    findings: z.array(
      z
        .strictObject({
          check: z.enum(['arrival', 'from', 'spf', 'dkim', 'dmarc']),
          result,
          cause: z.string(),
          title: z.string(),
          fix: z.string().nullable(),
          evidence: z.array(z.string()).meta({ description: 'What the receiver wrote (RFC 8601).' }),
        })
        .meta({ id: 'CanaryFinding' }),
    ),
  })
  .meta({ id: 'Canary' });

export const domainView = z
  .strictObject({
    domain: z.string().meta({ description: 'In A-labels.' }),
    provider: z
      .string()
      .nullable()
      .meta({ description: 'Who sends for it; null for one Postern does not know.' }),
    result: result.nullable().meta({
      description: 'The worst of the findings; null before the first look. Nothing here says "delivered".',
    }),
    settled: result
      .nullable()
      .meta({ description: 'What two looks in a row agreed on: alerts and events follow it.' }),
    settled_at: instant.nullable(),
    checked_at: instant.nullable(),
    findings: z.array(
      z
        .strictObject({
          check: z.enum(['domain', 'mx', 'spf', 'dkim', 'dmarc']),
          result,
          cause: z.string().meta({ description: 'A short stable slug, such as `spf-doubled`.' }),
          title: z.string(),
          fix: z.string().nullable(),
          record: z
            .strictObject({
              name: z.string(),
              type: z.enum(['TXT', 'CNAME', 'MX']),
              value: z.string(),
              host: z
                .string()
                .meta({ description: 'What is typed into the field for the name; `@` is the domain.' }),
            })
            .nullable()
            .meta({ description: 'What to publish.' }),
          evidence: z.array(z.string()).meta({ description: 'What DNS said.' }),
        })
        .meta({ id: 'DomainFinding' }),
    ),
    receivers: z.array(
      z.strictObject({
        receiver: z.string(),
        answer: z.enum(['yes', 'no', 'unknown']),
        says: z.string(),
        codes: z.array(z.string()).meta({ description: 'Replies that follow where the answer is no.' }),
      }),
    ),
    refusals: z
      .array(
        z
          .strictObject({
            code: z.string().nullable().meta({ description: 'RFC 3463; `receivers` tell whose rule it is.' }),
            cause: z.string(),
            title: z.string().nullable(),
            count: z.int(),
            last_at: instant,
            reply: z.string().nullable(),
          })
          .meta({ id: 'SenderRefusal' }),
      )
      .meta({
        description:
          'What receivers refused in 14 days because of this domain or its provider, as delivery reports tell; empty while no mailbox is read.',
      }),
    canaries: z.array(canaryView).meta({
      description: 'The last mails to oneself that were sent from this domain to be read back.',
    }),
  })
  .meta({ id: 'SenderDomain' });

/** Each domain with what mail showed of it. */
export async function viewDomains(q: Queryable, domains: readonly DomainReport[]) {
  const [canaries, refusals] = await Promise.all([listCanaries(q), listSenderRefusals(q)]);
  const words = await readCauses(
    q,
    refusals.map(({ cause }) => cause),
  );
  const told = refusals.map((refusal) => ({ ...refusal, title: words[refusal.cause]?.title ?? null }));
  return domains.map((domain) => toDomainView(domain, canaries, told));
}

const toDomainView = (
  { checkedAt, settledAt, ...report }: DomainReport,
  canaries: readonly CanaryReport[],
  refusals: readonly (SenderRefusal & { readonly title: string | null })[],
) => ({
  ...report,
  settled_at: settledAt?.toISOString() ?? null,
  checked_at: checkedAt?.toISOString() ?? null,
  refusals: refusals
    .filter(({ domain }) => domain === report.domain)
    .map(({ domain: _, lastAt, ...refusal }) => ({ ...refusal, last_at: lastAt.toISOString() })),
  canaries: canaries.filter(({ domain }) => domain === report.domain).map(toCanaryView),
});

const toCanaryView = ({
  domain: _,
  queueId,
  queuedAt,
  returnedAt,
  delaySeconds,
  isJunk,
  ...canary
}: CanaryReport) => ({
  ...canary,
  queue_id: queueId,
  queued_at: queuedAt.toISOString(),
  returned_at: returnedAt?.toISOString() ?? null,
  delay_seconds: delaySeconds,
  is_junk: isJunk,
});
