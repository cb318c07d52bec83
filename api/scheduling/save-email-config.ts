// PUT /api/v1/client/{client_id}/email-config: a client's scheduled emails, saved as one form.

import { withTagsOfKey } from '../../relay/client/email/tag.ts';
import { saveEmailConfigWithin } from '../../relay/client/email-config/email-config.ts';
import { actorOf } from '../authenticate.ts';
import { pastFault } from '../emails/due.ts';
import { owns } from '../emails/owner.ts';
import { invalidFields } from '../faults.ts';
import { countRecipients, ownSenderOf } from '../keys/sends.ts';
import { changes, type Operation } from '../operation.ts';
import type { Sending } from '../sending.ts';
import {
  clientPath,
  configDraft,
  noSuchConfig,
  readConfig,
  savedAnswer,
  saveQuery,
  toConfigView,
  toEntryView,
} from './email-config.ts';

export function saveEmailConfig({ sending }: { sending: Sending }): Operation {
  return changes({
    id: 'saveEmailConfig',
    method: 'put',
    path: '/api/v1/client/{client_id}/email-config',
    tag: 'Scheduling',
    summary: "Save a client's scheduled emails as one form",
    description:
      'A reconciliation by `key`: unchanged entries are kept with their ids, changed ones updated in place, new ' +
      'ones created, removed ones cancelled. Sent emails never change. Saving the same form again changes nothing. ' +
      'A form and its emails belong to the first key that saves it. A form of a revoked key, or one that was only ' +
      'saved with API_KEY or in the dashboard, belongs to the next key. For other keys, except `admin`, it is 404.',
    scope: 'send',
    bodyLimit: 16 * 1024 * 1024,
    params: clientPath,
    query: saveQuery,
    body: configDraft,
    bodyExample: {
      enabled: true,
      recipients: [{ address: 'ann@example.com', name: 'Ann Example' }],
      time_zone: 'Europe/Berlin',
      emails: [
        {
          key: 'welcome',
          subject: 'Welcome',
          text: 'Hello Ann.',
          scheduled_datetime: '2030-03-01T09:00:00',
        },
      ],
    },
    answers: { 200: { description: 'Saved.', schema: savedAnswer } },
    problems: ['sender-not-allowed'],
    async handle({ path, query, body, principal, traceparent }, tx) {
      const isPreview = query.preview === 'true';
      if (isPreview) await tx.query('savepoint preview');
      const saved = await saveEmailConfigWithin(tx, {
        clientId: path.client_id,
        ...readConfig({ ...body, tags: [...withTagsOfKey(body.tags ?? [], principal.sends?.tags)] }),
        from: ownSenderOf(principal, await sending.sender(tx)),
        actor: actorOf(principal),
        saver: { apiKeyId: principal.apiKeyId, isAdmin: principal.scopes.includes('admin') },
        traceparent,
      });
      if (saved.outcome === 'saved') {
        await countRecipients(tx, principal, saved.newRecipients);
      }
      if (saved.outcome === 'of-another-key') throw noSuchConfig(path.client_id);
      if (saved.outcome === 'in-the-past') {
        throw invalidFields(
          saved.entries.map((index) =>
            pastFault(body.emails[index]?.scheduled_datetime, `#/emails/${index}`),
          ),
        );
      }
      if (isPreview) await tx.query('rollback to savepoint preview');
      return {
        status: 200,
        body: {
          config: toConfigView(saved.config),
          scheduled: saved.scheduled,
          warnings: saved.warnings.map((warning) => ({ ...warning })),
          changes: saved.changes.map((change) => ({ ...change })),
          emails: saved.emails.map((email) => toEntryView(email, { showsContent: owns(principal, email) })),
        },
      };
    },
  });
}
