// The status of one email as an answer, and as the reason of a refusal.
import { z } from 'zod';
import { type Status, statuses } from '../../relay/client/vocabulary.ts';
import { id } from '../fields.ts';
import { Problem } from '../problem.ts';

export const emailPath = z.strictObject({ id });

/** The declared answer of an operation that changes the status of an email. */
export const declareState = (description: string) => ({
  200: { description, schema: z.strictObject({ id, status: z.enum(statuses) }) },
});

export const wrongEmailState = (status: Status, consequence: string) =>
  new Problem('email-state', `The email is ${status}. ${consequence}`, {
    members: { current_status: status },
  });
