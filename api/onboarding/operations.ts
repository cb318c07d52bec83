// Onboarding: applications come in from the public, and an administrator makes customers of them.
// Every refusal says which way leads on.
import { z } from 'zod';
import { type Database, type Queryable, uuidv7 } from '../../deploy/database.ts';
import { type InsertedEmail, insertEmail } from '../../relay/client/email/email.ts';
import { createCustomer, type Invite } from '../customers/create.ts';
import { customerView, invitationView, ownerView } from '../customers/customer.ts';
import { describeCustomer, findCustomer } from '../customers/find.ts';
import { answerCreated, deleteCustomer } from '../customers/operations.ts';
import { id, line, pageOf, pageQuery, toPage } from '../fields.ts';
import { changes, type Operation, reads } from '../operation.ts';
import { Problem } from '../problem.ts';
import type { Sending } from '../sending.ts';
import { readTemplate } from '../templates/operations.ts';
import { render } from '../templates/render.ts';
import {
  type ApplicationRow,
  type ApplicationStatus,
  applicationChange,
  applicationDraft,
  applicationStatuses,
  applicationView,
  toApplicationView,
} from './application.ts';

const tag = 'Onboarding';
const path = z.strictObject({ id });
const one = '/api/admin/onboarding/applications/{id}';

const answerOne = (description: string) => ({ 200: { description, schema: applicationView } });

export function onboardingOperations({
  database,
  sending,
  publicUrl,
}: {
  database: Database;
  sending: Sending;
  publicUrl: string;
}): Operation[] {
  return [
    changes({
      id: 'submitApplication',
      method: 'post',
      path: '/api/onboarding/applications',
      tag,
      summary: 'Apply to become a customer',
      description:
        'Public and limited to 10 a minute for one address. The answer tells nothing about other applications.',
      scope: 'public',
      publicPerMinute: 10,
      bodyLimit: 32 * 1024,
      body: applicationDraft,
      bodyExample: {
        company: 'Example Bakery',
        contact_name: 'Ann Example',
        email: 'ann@bakery.example.com',
        message: 'We send 500 receipts a day.',
      },
      answers: {
        201: {
          description: 'Received.',
          schema: z.strictObject({ id, status: z.literal('submitted') }),
        },
      },
      async handle({ body }, tx) {
        const applicationId = uuidv7();
        await tx.query(
          `insert into application (id, company, contact_name, email, phone, website, message)
           values ($1, $2, $3, $4, $5, $6, $7)`,
          [
            applicationId,
            body.company,
            body.contact_name,
            body.email,
            body.phone ?? null,
            body.website ?? null,
            body.message ?? null,
          ],
        );
        return { status: 201, body: { id: applicationId, status: 'submitted' } };
      },
    }),

    reads({
      id: 'listApplications',
      method: 'get',
      path: '/api/admin/onboarding/applications',
      tag,
      summary: 'List applications, newest first',
      scope: 'admin',
      query: z.strictObject({
        ...pageQuery,
        status: z.enum(applicationStatuses).optional(),
        q: line(200).optional().meta({ description: 'Looked for in company, contact and address.' }),
      }),
      answers: { 200: { description: 'A page of applications.', schema: pageOf(applicationView) } },
      async handle({ query }) {
        const { rows } = await database.query<ApplicationRow>(
          `select ${applicationColumns} from application
           where ($1::text is null or status = $1)
             and ($2::text is null or concat_ws(' ', company, contact_name, email) ilike $2)
             and ($3::uuid is null or id < $3)
           order by id desc limit $4`,
          [
            query.status ?? null,
            query.q === undefined ? null : `%${query.q.replaceAll(/[\\%_]/g, '\\$&')}%`,
            query.after ?? null,
            query.limit + 1,
          ],
        );
        return { status: 200, body: toPage(rows.map(toApplicationView), query.limit) };
      },
    }),

    reads({
      id: 'getApplication',
      method: 'get',
      path: one,
      tag,
      summary: 'Read an application',
      scope: 'admin',
      params: path,
      answers: answerOne('The application.'),
      async handle({ path }) {
        return { status: 200, body: toApplicationView(await find(database, path.id)) };
      },
    }),

    changes({
      id: 'updateApplication',
      method: 'patch',
      path: one,
      tag,
      summary: 'Correct an application or take a note',
      description:
        'What the applicant said can be corrected until the application is decided; the note at any time.',
      scope: 'admin',
      params: path,
      body: applicationChange,
      bodyExample: { note: 'Called them on Monday.' },
      answers: answerOne('The application as it is now.'),
      problems: ['application-state'],
      async handle({ path, body }, tx) {
        const row = await find(tx, path.id, { lock: true });
        const { note, ...facts } = body;
        if (Object.keys(facts).length > 0 && row.status !== 'submitted') {
          throw wrongState(row, 'Only its note can be changed now.');
        }
        const next = { ...row, ...body };
        await tx.query(
          `update application
           set company = $2, contact_name = $3, email = $4, phone = $5, website = $6, message = $7, note = $8,
               updated_at = now()
           where id = $1`,
          [
            row.id,
            next.company,
            next.contact_name,
            next.email,
            next.phone,
            next.website,
            next.message,
            next.note,
          ],
        );
        return { status: 200, body: toApplicationView(await find(tx, path.id)) };
      },
    }),

    changes({
      id: 'approveApplication',
      method: 'post',
      path: `${one}/approve`,
      tag,
      summary: 'Approve an application: make the customer, its owner and the invitation',
      description:
        'All in one transaction, and the same answer when it is approved again. Where a customer has this ' +
        'address already, `use_existing_customer` links the application to it.',
      scope: 'admin',
      params: path,
      body: z
        .strictObject({
          sendInvitation: z.boolean().default(false),
          use_existing_customer: z.boolean().default(false),
        })
        .meta({ id: 'Approval' }),
      bodyExample: { sendInvitation: true },
      answers: {
        200: {
          description: 'Approved.',
          schema: z.strictObject({
            application: applicationView,
            customer: customerView,
            owner: ownerView,
            invitation: invitationView.nullable(),
          }),
        },
      },
      problems: ['application-state', 'customer-exists'],
      async handle({ path, body, principal, traceparent }, tx) {
        const row = await find(tx, path.id, { lock: true });
        if (row.status === 'approved' && row.customer_id) {
          const people = await describeCustomer(tx, await findCustomer(tx, row.customer_id));
          return { status: 200, body: { application: toApplicationView(row), ...people } };
        }
        // An approved one whose customer has been deleted since may get a new account.
        if (row.status === 'archived') throw wrongState(row, 'It cannot be approved any more.');

        const invite = body.sendInvitation
          ? { from: await sending.sender(tx), publicUrl, apiKeyId: principal.apiKeyId, traceparent }
          : undefined;
        const created = await createCustomer(tx, {
          name: row.company,
          email: row.email,
          owner: { name: row.contact_name, email: row.email },
          invite,
        });
        if (created.outcome === 'exists') {
          if (!body.use_existing_customer || !created.customerId) throw addressTaken(row, created.customerId);
          await linkable(tx, row, created.customerId);
          const application = await decide(tx, row.id, {
            status: 'approved',
            customerId: created.customerId,
          });
          const people = await describeCustomer(tx, await findCustomer(tx, created.customerId));
          return { status: 200, body: { application: toApplicationView(application), ...people } };
        }
        const decided = await decide(tx, row.id, { status: 'approved', customerId: created.row.id });
        const application = toApplicationView(decided);
        const { body: people, afterCommit } = answerCreated(created, sending);
        return {
          status: 200,
          body: { application, ...(people as object) },
          ...(afterCommit && {
            afterCommit: async () => ({ application, ...((await afterCommit()) as object) }),
          }),
        };
      },
    }),

    changes({
      id: 'rejectApplication',
      method: 'post',
      path: `${one}/reject`,
      tag,
      summary: 'Reject an application, and tell the applicant if you like',
      scope: 'admin',
      params: path,
      body: z
        .strictObject({
          reason: line(1_000)
            .optional()
            .meta({ description: 'Kept with the application and told in the mail.' }),
          sendMail: z.boolean().default(false),
        })
        .meta({ id: 'Rejection' }),
      bodyExample: { reason: 'We only serve bakeries in Europe so far.', sendMail: true },
      answers: {
        200: {
          description: 'Rejected.',
          schema: z.strictObject({
            application: applicationView,
            email: z.strictObject({ email_id: id, status: z.string() }).nullable(),
          }),
        },
      },
      problems: ['application-state'],
      async handle({ path, body, principal, traceparent }, tx) {
        const row = await find(tx, path.id, { lock: true });
        if (row.status === 'rejected') {
          return { status: 200, body: { application: toApplicationView(row), email: null } };
        }
        if (row.status !== 'submitted') throw wrongState(row, 'It cannot be rejected any more.');
        const rejected = await decide(tx, row.id, { status: 'rejected', reason: body.reason });
        const application = toApplicationView(rejected);
        if (!body.sendMail) return { status: 200, body: { application, email: null } };
        const email = await insertRejectionMail(tx, rejected, {
          from: await sending.sender(tx),
          apiKeyId: principal.apiKeyId,
          traceparent,
        });
        const withMail = (status: string) => ({ application, email: { email_id: email.id, status } });
        const bornAs = email.claim ? 'pending' : 'held';
        return {
          status: 200,
          body: withMail(bornAs),
          afterCommit: async () => withMail((await sending.handOver(email)) ?? bornAs),
        };
      },
    }),

    changes({
      id: 'archiveApplication',
      method: 'post',
      path: `${one}/archive`,
      tag,
      summary: 'Put an application away',
      description: 'Its customer account, if it has one, stays. Archiving it again changes nothing.',
      scope: 'admin',
      params: path,
      answers: answerOne('Archived.'),
      async handle({ path }, tx) {
        await find(tx, path.id, { lock: true });
        await tx.query(
          `update application set status = 'archived', archived_at = now(), updated_at = now()
           where id = $1 and status <> 'archived'`,
          [path.id],
        );
        return { status: 200, body: toApplicationView(await find(tx, path.id)) };
      },
    }),

    changes({
      id: 'deleteApplication',
      method: 'delete',
      path: one,
      tag,
      summary: 'Delete an application',
      description:
        'One that has a customer account is refused with the ways out: archive it, or delete both with ' +
        '`?with_customer=true` as long as nobody has used the account.',
      scope: 'admin',
      params: path,
      query: z.strictObject({
        with_customer: z
          .enum(['true', 'false'])
          .optional()
          .meta({ description: 'Delete the never-activated customer account as well.' }),
      }),
      answers: { 204: { description: 'Deleted.' } },
      problems: ['customer-account-exists'],
      async handle({ path, query }, tx) {
        const row = await find(tx, path.id, { lock: true });
        if (row.customer_id) {
          const customer = await findCustomer(tx, row.customer_id, { lock: true });
          const isUnused = customer.activated_at === null;
          if (query.with_customer !== 'true' || !isUnused) {
            throw accountExists(row, { id: customer.id, email: customer.email, isUnused });
          }
          await deleteCustomer(tx, customer.id);
        }
        await tx.query('delete from application where id = $1', [row.id]);
        return { status: 204 };
      },
    }),
  ];
}

const applicationColumns = `
  id, status, company, contact_name, email, phone, website, message, note, reason, customer_id,
  created_at, updated_at, decided_at, archived_at`;

async function find(q: Queryable, applicationId: string, { lock = false } = {}): Promise<ApplicationRow> {
  const { rows } = await q.query<ApplicationRow>(
    `select ${applicationColumns} from application where id = $1 ${lock ? 'for update' : ''}`,
    [applicationId],
  );
  if (!rows[0]) throw new Problem('not-found', `There is no application ${applicationId}.`);
  return rows[0];
}

async function decide(
  tx: Queryable,
  applicationId: string,
  decision: { status: ApplicationStatus; customerId?: string; reason?: string | undefined },
): Promise<ApplicationRow> {
  await tx.query(
    `update application set status = $2, customer_id = $3, reason = $4, decided_at = now(), updated_at = now()
     where id = $1`,
    [applicationId, decision.status, decision.customerId ?? null, decision.reason ?? null],
  );
  return find(tx, applicationId);
}

async function insertRejectionMail(
  tx: Queryable,
  application: ApplicationRow,
  invite: Omit<Invite, 'publicUrl'>,
): Promise<InsertedEmail> {
  const words = render(await readTemplate(tx, 'rejection'), {
    name: application.contact_name,
    company: application.company,
    reason: application.reason ?? '',
  });
  return insertEmail(tx, {
    kind: 'rejection',
    ...invite,
    recipients: [{ kind: 'to', address: application.email, name: application.contact_name }],
    subject: words.subject,
    text: words.text,
    html: words.html,
  });
}

/** Links an application to a customer that is there already, unless another application has it. */
async function linkable(tx: Queryable, row: ApplicationRow, customerId: string): Promise<void> {
  const { rows } = await tx.query<{ id: string }>('select id from application where customer_id = $1', [
    customerId,
  ]);
  const other = rows[0];
  if (!other) return;
  throw new Problem('application-state', 'The customer with this address belongs to another application.', {
    members: { current_status: row.status, customer_id: customerId, application_id: other.id },
  });
}

const wrongState = (row: ApplicationRow, consequence: string) =>
  new Problem('application-state', `The application is ${row.status}. ${consequence}`, {
    members: { current_status: row.status, ...(row.customer_id && { customer_id: row.customer_id }) },
  });

type WayOut = { readonly method: string; readonly href: string; readonly description: string };

function addressTaken(row: ApplicationRow, customerId: string | undefined): Problem {
  const href = `/api/admin/onboarding/applications/${row.id}`;
  const waysOut: WayOut[] = [
    {
      method: 'POST',
      href: `${href}/approve`,
      description: 'Approve with {"use_existing_customer": true} to link the application to that customer.',
    },
    { method: 'PATCH', href, description: 'Correct the address of the application.' },
    { method: 'POST', href: `${href}/archive`, description: 'Put the application away.' },
  ];
  return new Problem('customer-exists', `A customer with the address ${row.email} exists already.`, {
    members: { customer_id: customerId ?? null, customer_email: row.email, ways_out: waysOut },
  });
}

function accountExists(
  row: ApplicationRow,
  customer: { id: string; email: string; isUnused: boolean },
): Problem {
  const href = `/api/admin/onboarding/applications/${row.id}`;
  const waysOut: WayOut[] = [
    {
      method: 'POST',
      href: `${href}/archive`,
      description: 'Put the application away and keep the account.',
    },
    customer.isUnused
      ? {
          method: 'DELETE',
          href: `${href}?with_customer=true`,
          description: 'Delete the application together with the account, which nobody has used.',
        }
      : {
          method: 'DELETE',
          href: `/api/customers/${customer.id}`,
          description: 'Delete the account, which is in use, first; then delete the application.',
        },
  ];
  return new Problem(
    'customer-account-exists',
    `The application of ${row.company} has a customer account (${customer.email}), so it is not deleted by itself.`,
    { members: { customer_id: customer.id, customer_email: customer.email, ways_out: waysOut } },
  );
}
