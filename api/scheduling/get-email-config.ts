// GET /api/v1/client/{client_id}/email-config: a client's form as it was saved last.
import type { Database } from '../../deploy/database.ts';
import { readEmailConfig } from '../../relay/client/email-config/email-config.ts';
import { owns } from '../emails/owner.ts';
import { type Operation, reads } from '../operation.ts';
import { clientPath, configAnswer, maySee, noSuchConfig, toConfigView, toEntryView } from './email-config.ts';

export function getEmailConfig({ database }: { database: Database }): Operation {
  return reads({
    id: 'getEmailConfig',
    method: 'get',
    path: '/api/v1/client/{client_id}/email-config',
    tag: 'Scheduling',
    summary: "Read a client's form and the status of its emails",
    scope: 'read',
    params: clientPath,
    answers: { 200: { description: 'The form as it was saved last.', schema: configAnswer } },
    async handle({ path, principal }) {
      const found = await readEmailConfig(database, path.client_id);
      if (!found || !maySee(principal, found.apiKeyId)) throw noSuchConfig(path.client_id);
      return {
        status: 200,
        body: {
          config: toConfigView(found.config),
          emails: found.emails.map((email) => toEntryView(email, { showsContent: owns(principal, email) })),
        },
      };
    },
  });
}
