// The senders' domains in the shapes of the client, to be read: which they are stands in the settings of the relay.
import { z } from 'zod';
import type { domainView } from '../diagnosis/domain-view.ts';
import type { Operation } from '../operation.ts';
import { Problem } from '../problem.ts';
import { mount } from './mount.ts';

type View = z.output<typeof domainView>;
type Result = NonNullable<View['result']>;

const domainPath = z.strictObject({ id: z.string().max(255) });

const statuses: Readonly<Record<Result, string>> = {
  pass: 'verified',
  note: 'verified',
  warn: 'partially_verified',
  fail: 'failed',
  unknown: 'pending',
  'not-applicable': 'not_started',
};

const toDomain = ({ domain, result }: View) => ({
  id: domain,
  name: domain,
  status: statuses[result ?? 'unknown'],
  capabilities: { sending: 'enabled', receiving: 'disabled' },
  open_tracking: false,
  click_tracking: false,
});

const toRecord = ({ check, result, record }: View['findings'][number]) =>
  record === null
    ? []
    : [
        {
          record: check.toUpperCase(),
          name: record.name,
          type: record.type,
          value: record.value,
          ttl: 'Auto',
          status: result === 'fail' ? 'failed' : 'pending',
        },
      ];

export const clientDomains = (engine: (id: string) => Operation): Operation[] => [
  mount(engine('listDomains'), {
    id: 'resend.domains.list',
    path: '/resend/domains',
    tell: ({ data }: { data: readonly View[] }) => ({
      object: 'list',
      has_more: false,
      data: data.map(toDomain),
    }),
  }),
  mount(engine('listDomains'), {
    id: 'resend.domains.get',
    path: '/resend/domains/{id}',
    params: domainPath,
    tell: ({ data }: { data: readonly View[] }, { path }) => {
      const { id } = path as z.output<typeof domainPath>;
      const found = data.find(({ domain }) => domain === id.toLowerCase());
      if (!found) throw new Problem('not-found', `${id} is no domain that mail is sent from.`);
      // What is to be published; what stands already is not repeated.
      return { object: 'domain', ...toDomain(found), records: found.findings.flatMap(toRecord) };
    },
  }),
];
