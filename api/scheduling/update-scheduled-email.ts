// PATCH /api/v1/scheduled-emails/{id}: another time or other content.
import { z } from 'zod';
import { withTagsOfKey } from '../../relay/client/email/tag.ts';
import { isoDuration, scheduleFields } from '../emails/draft.ts';
import { findPast, pastFault, readDue } from '../emails/due.ts';
import { emailListItem } from '../emails/email.ts';
import { readOwn } from '../emails/owner.ts';
import { emailPath } from '../emails/state.ts';
import { invalidFields } from '../faults.ts';
import { line, prose } from '../fields.ts';
import { changes, type Operation } from '../operation.ts';
import { mailTags, stream } from '../tags.ts';
import { editScheduled } from './edit.ts';
import { onlyScheduled } from './scheduled-email.ts';

export function updateScheduledEmail(): Operation {
  return changes({
    id: 'updateScheduledEmail',
    method: 'patch',
    path: '/api/v1/scheduled-emails/{id}',
    tag: 'Scheduling',
    summary: 'Change the time, the content or the tags of a scheduled email',
    description:
      'What is not named stays. `tags` are all tags that it has afterwards, and those of the key that asks; `"stream": null` ' +
      'takes it out of its stream.',
    scope: 'send',
    bodyLimit: 8 * 1024 * 1024,
    knowsRevisions: true,
    params: emailPath,
    body: z
      .strictObject({
        ...scheduleFields,
        subject: line(900).optional(),
        text: prose(2_000_000).min(1, 'must not be empty').optional(),
        html: prose(5_000_000).min(1, 'must not be empty').optional(),
        max_lateness: isoDuration.optional(),
        tags: mailTags.optional(),
        stream: stream.nullable().optional(),
      })
      .meta({ id: 'ScheduledEmailChange' }),
    bodyExample: { scheduled_datetime: '2030-03-02T09:00:00+01:00' },
    answers: { 200: { description: 'The email as it is now.', schema: emailListItem } },
    problems: ['email-state', 'precondition-failed'],
    async handle({ path, body, principal, ifMatch }, tx) {
      onlyScheduled(await readOwn(tx, path.id, principal));
      const reading = readDue(body);
      if ('faults' in reading) throw invalidFields(reading.faults);
      const { dueAt } = reading.due;
      const [isPast] = await findPast(tx, [dueAt]);
      if (isPast) throw invalidFields([pastFault(body.scheduled_datetime)]);
      return editScheduled(tx, path.id, {
        principal,
        ifMatch,
        changes: {
          subject: body.subject,
          text: body.text,
          html: body.html,
          maxLateness: body.max_lateness,
          tags: body.tags && withTagsOfKey(body.tags, principal.sends?.tags),
          stream: body.stream,
          ...(dueAt && {
            dueAt,
            timeZone: reading.due.timeZone ?? null,
            localTime: reading.due.localTime ?? null,
          }),
        },
      });
    },
  });
}
