// An application: somebody asks to become a customer. What may follow what, held by the database as well
// (000002_customers.sql, an_application_moves_only_forward):
//
//   submitted ──approve──▶ approved ──archive──▶ archived
//       │                      ▲                    ▲
//       ├──reject──▶ rejected ─┘ approve            │
//       │                └──────────archive─────────┤
//       └───────────────archive─────────────────────┘
//
// An application with a customer account is never deleted by itself: archiving keeps both, and
// `?with_customer=true` deletes both while nobody has used the account.
import { z } from 'zod';
import { address, id, instant, line, prose } from '../fields.ts';
import { Problem } from '../problem.ts';
import { type ApplicationRow, applicationStatuses } from './store.ts';

export const applicationPath = z.strictObject({ id });

export const oneApplication = '/api/admin/onboarding/applications/{id}';

const fields = {
  company: line(200).meta({ examples: ['Example Bakery'] }),
  contact_name: line(200).meta({ examples: ['Ann Example'] }),
  email: address,
  phone: line(50).meta({ examples: ['+44 20 7946 0000'] }),
  website: z.url({ protocol: /^https?$/, error: 'must be an http or https address' }).max(500),
  message: prose(5_000),
};

export const applicationDraft = z
  .strictObject({
    company: fields.company,
    contact_name: fields.contact_name,
    email: fields.email,
    phone: fields.phone.optional(),
    website: fields.website.optional(),
    message: fields.message.optional(),
  })
  .meta({ id: 'ApplicationDraft' });

export const applicationChange = z
  .strictObject({
    company: fields.company.optional(),
    contact_name: fields.contact_name.optional(),
    email: fields.email.optional(),
    phone: fields.phone.nullable().optional(),
    website: fields.website.nullable().optional(),
    message: fields.message.nullable().optional(),
    note: prose(5_000).nullable().optional().meta({ description: 'For administrators only.' }),
  })
  .meta({ id: 'ApplicationChange' });

const shape = {
  id,
  status: z.enum(applicationStatuses),
  company: z.string(),
  contact_name: z.string(),
  email: z.string(),
  phone: z.string().nullable(),
  website: z.string().nullable(),
  message: z.string().nullable(),
  note: z.string().nullable(),
  reason: z.string().nullable().meta({ description: 'Why it was rejected.' }),
  customer_id: id.nullable(),
  created_at: instant,
  updated_at: instant,
  decided_at: instant.nullable(),
  archived_at: instant.nullable(),
};

export const applicationView = z.strictObject(shape).meta({ id: 'Application' });

export function toApplicationView(row: ApplicationRow): z.output<typeof applicationView> {
  return {
    ...row,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    decided_at: row.decided_at?.toISOString() ?? null,
    archived_at: row.archived_at?.toISOString() ?? null,
  };
}

/** The declared answer of an operation that tells one application. */
export const declareApplication = (description: string) => ({
  200: { description, schema: applicationView },
});

export const wrongApplicationState = (row: ApplicationRow, consequence: string) =>
  new Problem('application-state', `The application is ${row.status}. ${consequence}`, {
    members: { current_status: row.status, ...(row.customer_id && { customer_id: row.customer_id }) },
  });

/** A request that leads on from a refusal. */
export type WayOut = { readonly method: string; readonly href: string; readonly description: string };
