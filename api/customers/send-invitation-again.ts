// POST /api/customers/{id}/invitation: a new link for an owner who has not accepted.
import { z } from 'zod';
import type { Queryable } from '../../deploy/database.ts';
import type { InsertedEmail } from '../../relay/client/email/insert.ts';
import type { Status } from '../../relay/client/vocabulary.ts';
import { changes, type Operation } from '../operation.ts';
import { Problem } from '../problem.ts';
import type { Sending } from '../sending.ts';
import { customerPath, invitationView } from './customer.ts';
import {
  type Invite,
  insertInvitations,
  invitationLastsDays,
  type NewInvitation,
  newToken,
  viewNewInvitation,
} from './invitation.ts';
import { readInvitationTerms } from './invitation-store.ts';
import { type CustomerRow, findCustomer } from './store.ts';
import { revokeInvitation } from './withdraw.ts';

export function sendInvitationAgain({
  sending,
  publicUrl,
}: {
  sending: Sending;
  publicUrl: string;
}): Operation {
  return changes({
    id: 'sendInvitationAgain',
    method: 'post',
    path: '/api/customers/{id}/invitation',
    tag: 'Customers',
    summary: 'Send the invitation again',
    description: 'The previous token stops working, and its email is cancelled if it was not sent yet.',
    scope: 'admin',
    params: customerPath,
    answers: {
      201: {
        description: 'A new invitation was created.',
        schema: z.strictObject({ invitation: invitationView }),
      },
    },
    problems: ['invitation-accepted', 'customer-inactive'],
    async handle({ path, principal, traceparent }, tx) {
      const row = await findCustomer(tx, path.id, { lock: true });
      if (row.status === 'inactive') {
        throw new Problem('customer-inactive', 'Reactivate the customer before inviting it.');
      }
      if (row.owner_activated_at) {
        throw new Problem(
          'invitation-accepted',
          'The owner has accepted the invitation; there is nothing to send.',
          {
            members: { accepted_at: row.owner_activated_at.toISOString() },
          },
        );
      }
      await revokeInvitation(tx, row.owner_id);
      const invitation = await inviteAgain(tx, {
        row,
        from: await sending.sender(tx),
        publicUrl,
        apiKeyId: principal.apiKeyId,
        traceparent,
      });
      const body = (status?: Status) => ({ invitation: viewNewInvitation(invitation, status) });
      return {
        status: 201,
        body: body(),
        afterCommit: async () => body(await sending.handOver(invitation.email)),
      };
    },
  });
}

async function inviteAgain(
  tx: Queryable,
  { row, ...invite }: Invite & { row: CustomerRow },
): Promise<NewInvitation> {
  const { expires_at: expiresAt, template } = await readInvitationTerms(tx, invitationLastsDays);
  const [email] = await insertInvitations(tx, [
    {
      token: newToken(),
      expiresAt,
      customer: { id: row.id, name: row.name },
      owner: { id: row.owner_id, name: row.owner_name, email: row.owner_email },
      template: template ?? undefined,
      ...invite,
    },
  ]);
  return { email: email as InsertedEmail, expiresAt };
}
