// POST /api/invitations/accept: the owner proves with the token of the link that the invitation arrived.
import { z } from 'zod';
import type { Queryable } from '../../deploy/database.ts';
import { changes, type Operation } from '../operation.ts';
import { Problem } from '../problem.ts';
import { customerView, ownerView, toCustomerView, toOwnerView } from './customer.ts';
import { hashToken } from './invitation.ts';
import { acceptInvitationRow, findInvitation } from './invitation-store.ts';
import { findCustomer } from './store.ts';

export function acceptInvitation(): Operation {
  return changes({
    id: 'acceptInvitation',
    method: 'post',
    path: '/api/invitations/accept',
    tag: 'Customers',
    summary: 'Accept an invitation',
    description:
      'Public: the token is the proof. It works once and only with POST, so that a link preview cannot use it.',
    scope: 'public',
    publicPerMinute: 60,
    body: z
      .strictObject({
        token: z
          .string()
          .regex(/^[\w-]{43}$/, 'must be the token of the link, 43 characters')
          .meta({ examples: ['nXq4wYx0d2W1J3m5QbV7cR9tK8uL6pZ0sH-E_fGaTiM'] }),
      })
      .meta({ id: 'InvitationAcceptance' }),
    bodyExample: { token: 'nXq4wYx0d2W1J3m5QbV7cR9tK8uL6pZ0sH-E_fGaTiM' },
    answers: {
      200: {
        description: 'Accepted: the owner and the customer are active.',
        schema: z.strictObject({ customer: customerView, owner: ownerView }),
      },
    },
    problems: ['not-found', 'invitation-accepted', 'invitation-expired', 'invitation-revoked'],
    async handle({ body }, tx) {
      const customerId = await useToken(tx, body.token);
      const row = await findCustomer(tx, customerId);
      return { status: 200, body: { customer: toCustomerView(row), owner: toOwnerView(row) } };
    },
  });
}

/** Uses the token up and activates owner and customer; returns the customer's id. Throws why it cannot. */
async function useToken(tx: Queryable, token: string): Promise<string> {
  const hash = hashToken(token);
  const customerId = await acceptInvitationRow(tx, hash);
  if (customerId !== undefined) return customerId;

  const invitation = await findInvitation(tx, hash);
  if (!invitation) throw new Problem('not-found', 'No invitation has this token.');
  if (invitation.accepted_at) {
    throw new Problem('invitation-accepted', 'This invitation was already accepted. A link works once.');
  }
  if (invitation.revoked_at) {
    throw new Problem('invitation-revoked', 'This invitation was replaced by a newer one, or cancelled.');
  }
  throw new Problem('invitation-expired', 'This invitation has expired; ask for a new one.');
}
