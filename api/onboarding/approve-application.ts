// POST /api/admin/onboarding/applications/{id}/approve: a customer, its owner and the invitation.
import { z } from 'zod';
import type { Queryable } from '../../deploy/database.ts';
import { answerCreated } from '../customers/create-customer.ts';
import { addCustomer } from '../customers/creation.ts';
import { customerView, describeCustomer, invitationView, ownerView } from '../customers/customer.ts';
import { findCustomer } from '../customers/store.ts';
import { type Answer, type Call, changes, type Operation } from '../operation.ts';
import { Problem } from '../problem.ts';
import type { Sending } from '../sending.ts';
import {
  applicationPath,
  applicationView,
  oneApplication,
  toApplicationView,
  type WayOut,
  wrongApplicationState,
} from './application.ts';
import {
  type ApplicationRow,
  decideApplication,
  findApplication,
  findApplicationOfCustomer,
} from './store.ts';

const approval = z
  .strictObject({
    sendInvitation: z.boolean().default(false),
    use_existing_customer: z.boolean().default(false),
  })
  .meta({ id: 'Approval' });

export function approveApplication({
  sending,
  publicUrl,
}: {
  sending: Sending;
  publicUrl: string;
}): Operation {
  return changes({
    id: 'approveApplication',
    method: 'post',
    path: `${oneApplication}/approve`,
    tag: 'Onboarding',
    summary: 'Approve an application: create the customer, its owner and the invitation',
    description:
      'In one transaction. Approving again gives the same answer. If a customer has this ' +
      'address already, `use_existing_customer` links the application to it.',
    scope: 'admin',
    params: applicationPath,
    body: approval,
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
    handle: (call, tx) => approve(tx, { call, sending, publicUrl }),
  });
}

type Approval = {
  readonly call: Call<{ id: string }, unknown, z.output<typeof approval>>;
  readonly sending: Sending;
  readonly publicUrl: string;
};

async function approve(tx: Queryable, { call, sending, publicUrl }: Approval): Promise<Answer> {
  const { path, body, principal, traceparent } = call;
  const row = await findApplication(tx, path.id, { lock: true });
  if (row.status === 'approved' && row.customer_id) {
    const people = await describeCustomer(tx, await findCustomer(tx, row.customer_id));
    return { status: 200, body: { application: toApplicationView(row), ...people } };
  }
  // An approved one whose customer has been deleted since may get a new account.
  if (row.status === 'archived') throw wrongApplicationState(row, 'It can no longer be approved.');

  const invite = body.sendInvitation
    ? { from: await sending.sender(tx), publicUrl, apiKeyId: principal.apiKeyId, traceparent }
    : undefined;
  const created = await addCustomer(tx, {
    name: row.company,
    email: row.email,
    owner: { name: row.contact_name, email: row.email },
    invite,
  });
  if (created.outcome === 'exists') {
    if (!body.use_existing_customer || !created.customerId) throw addressTaken(row, created.customerId);
    await refuseLinked(tx, row, created.customerId);
    const application = await decideApplication(tx, row.id, {
      status: 'approved',
      customerId: created.customerId,
    });
    const people = await describeCustomer(tx, await findCustomer(tx, created.customerId));
    return { status: 200, body: { application: toApplicationView(application), ...people } };
  }
  const decided = await decideApplication(tx, row.id, { status: 'approved', customerId: created.row.id });
  const application = toApplicationView(decided);
  const { body: people, afterCommit } = answerCreated(created, sending);
  return {
    status: 200,
    body: { application, ...(people as object) },
    ...(afterCommit && {
      afterCommit: async () => ({ application, ...((await afterCommit()) as object) }),
    }),
  };
}

/** Throws when another application belongs to the customer that is there already. */
async function refuseLinked(tx: Queryable, row: ApplicationRow, customerId: string): Promise<void> {
  const other = await findApplicationOfCustomer(tx, customerId);
  if (other === undefined) return;
  throw new Problem('application-state', 'The customer with this address belongs to another application.', {
    members: { current_status: row.status, customer_id: customerId, application_id: other },
  });
}

function addressTaken(row: ApplicationRow, customerId: string | undefined): Problem {
  const href = `/api/admin/onboarding/applications/${row.id}`;
  const waysOut: WayOut[] = [
    {
      method: 'POST',
      href: `${href}/approve`,
      description: 'Approve with {"use_existing_customer": true} to link the application to that customer.',
    },
    { method: 'PATCH', href, description: 'Correct the address of the application.' },
    { method: 'POST', href: `${href}/archive`, description: 'Archive the application.' },
  ];
  return new Problem('customer-exists', `A customer with the address ${row.email} exists already.`, {
    members: { customer_id: customerId ?? null, customer_email: row.email, ways_out: waysOut },
  });
}
