// POST /api/onboarding/applications: somebody asks to become a customer.
import { z } from 'zod';
import { id } from '../fields.ts';
import { changes, type Operation } from '../operation.ts';
import { applicationDraft } from './application.ts';
import { insertApplication } from './store.ts';

export function submitApplication(): Operation {
  return changes({
    id: 'submitApplication',
    method: 'post',
    path: '/api/onboarding/applications',
    tag: 'Onboarding',
    summary: 'Apply to become a customer',
    description:
      'Public, at most 10 requests a minute from one network address. The answer reveals nothing about other applications.',
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
      const applicationId = await insertApplication(tx, body);
      return { status: 201, body: { id: applicationId, status: 'submitted' } };
    },
  });
}
