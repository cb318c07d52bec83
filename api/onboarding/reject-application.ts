// POST /api/admin/onboarding/applications/{id}/reject: no, with an email to the applicant if wanted.
import { z } from 'zod';
import type { Queryable } from '../../deploy/database.ts';
import { type InsertedEmail, insertEmail } from '../../relay/client/email/insert.ts';
import { type Invite, initialStatus } from '../customers/invitation.ts';
import { id, line } from '../fields.ts';
import { changes, type Operation } from '../operation.ts';
import type { Sending } from '../sending.ts';
import { render } from '../templates/render.ts';
import { readTemplate } from '../templates/store.ts';
import {
  applicationPath,
  applicationView,
  oneApplication,
  toApplicationView,
  wrongApplicationState,
} from './application.ts';
import { type ApplicationRow, decideApplication, findApplication } from './store.ts';

export function rejectApplication({ sending }: { sending: Sending }): Operation {
  return changes({
    id: 'rejectApplication',
    method: 'post',
    path: `${oneApplication}/reject`,
    tag: 'Onboarding',
    summary: 'Reject an application, and email the applicant if you want',
    scope: 'admin',
    params: applicationPath,
    body: z
      .strictObject({
        reason: line(1_000)
          .optional()
          .meta({ description: 'Stored with the application and included in the email.' }),
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
      const row = await findApplication(tx, path.id, { lock: true });
      if (row.status === 'rejected') {
        return { status: 200, body: { application: toApplicationView(row), email: null } };
      }
      if (row.status !== 'submitted') throw wrongApplicationState(row, 'It can no longer be rejected.');
      const rejected = await decideApplication(tx, row.id, { status: 'rejected', reason: body.reason });
      const application = toApplicationView(rejected);
      if (!body.sendMail) return { status: 200, body: { application, email: null } };
      const email = await insertRejectionEmail(tx, rejected, {
        from: await sending.sender(tx),
        apiKeyId: principal.apiKeyId,
        traceparent,
      });
      const withEmail = (status: string) => ({ application, email: { email_id: email.id, status } });
      const first = initialStatus(email);
      return {
        status: 200,
        body: withEmail(first),
        afterCommit: async () => withEmail((await sending.handOver(email)) ?? first),
      };
    },
  });
}

async function insertRejectionEmail(
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
