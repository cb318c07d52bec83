// Mail for later: a client's form, the list of what will leave, and changes to a single one of them.

import { z } from 'zod';
import type { Database, Queryable } from '../../deploy/database.ts';
import { type EmailChanges, editEmail } from '../../relay/client/edit.ts';
import { type Email, readDeliveries, readEmail } from '../../relay/client/email.ts';
import { readEmailConfig, saveEmailConfigWithin } from '../../relay/client/email-config.ts';
import { type EmailFilter, listByDueTime } from '../../relay/client/list.ts';
import { statuses } from '../../relay/client/vocabulary.ts';
import type { Principal } from '../authenticate.ts';
import { waitingFor } from '../diagnosis/lanes.ts';
import { isoDuration, scheduleFields } from '../emails/draft.ts';
import { findPast, pastFault, readDue } from '../emails/due.ts';
import { emailListItem, emailView, toEmailPage, toEmailView, toListItem } from '../emails/email.ts';
import { actorOf, cancel, wrongState } from '../emails/operations.ts';
import { listedFor, noSuchEmail, owns, readOwn, readVisible } from '../emails/owner.ts';
import { invalidFields } from '../faults.ts';
import { id, line, listOf, pageOf, pageQuery, prose, time } from '../fields.ts';
import { type Answer, type Asked, changes, type Operation, reads } from '../operation.ts';
import { Problem } from '../problem.ts';
import type { Sending } from '../sending.ts';
import {
  configAnswer,
  configDraft,
  readConfig,
  savedAnswer,
  toConfigView,
  toEntryView,
} from './email-config.ts';

const tag = 'Scheduling';
const emailPath = z.strictObject({ id });
const clientPath = z.strictObject({ client_id: line(200) });
const listQuery = z.strictObject({
  ...pageQuery,
  status: listOf(statuses).optional().meta({ description: 'One status, or several with commas.' }),
  due_from: time.optional(),
  due_before: time.optional(),
});

const cancelAnswers = {
  200: { description: 'Cancelled.', schema: z.strictObject({ id, status: z.enum(statuses) }) },
};

const cancelDescription =
  '200 promises that no DATA for it will ever be sent; cancelling it again is 200 as well. 409 with the current ' +
  'status when it is too late.';

export function schedulingOperations({
  database,
  sending,
}: {
  database: Database;
  sending: Sending;
}): Operation[] {
  return [
    changes({
      id: 'saveEmailConfig',
      method: 'put',
      path: '/api/v1/client/{client_id}/email-config',
      tag,
      summary: "Save a client's scheduled mails as one form",
      description:
        'A reconciliation by `key`: unchanged entries are kept with their ids, changed ones updated in place, new ' +
        'ones created, removed ones cancelled; what has left is never touched. Saving the same form again changes nothing. ' +
        'A form belongs to the first key that saves it, and its mail too; one of a revoked key, or that was only ever ' +
        'saved with API_KEY or in the dashboard, to the next key. For other keys than its own and `admin` it is 404.',
      scope: 'send',
      bodyLimit: 16 * 1024 * 1024,
      params: clientPath,
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
      async handle({ path, body, principal, traceparent }, tx) {
        const saved = await saveEmailConfigWithin(tx, {
          clientId: path.client_id,
          ...readConfig(body),
          from: await sending.sender(tx),
          actor: actorOf(principal),
          saver: { apiKeyId: principal.apiKeyId, isAdmin: principal.scopes.includes('admin') },
          traceparent,
        });
        if (saved.outcome === 'of-another-key') throw noSuchForm(path.client_id);
        if (saved.outcome === 'in-the-past') {
          throw invalidFields(
            saved.entries.map((index) =>
              pastFault(body.emails[index]?.scheduled_datetime, `#/emails/${index}`),
            ),
          );
        }
        return {
          status: 200,
          body: {
            config: toConfigView(saved.config),
            scheduled: saved.scheduled,
            warnings: saved.warnings.map((warning) => ({ ...warning })),
            emails: saved.emails.map((email) => toEntryView(email, { showsContent: owns(principal, email) })),
          },
        };
      },
    }),

    reads({
      id: 'getEmailConfig',
      method: 'get',
      path: '/api/v1/client/{client_id}/email-config',
      tag,
      summary: "Read a client's form and what became of its mails",
      scope: 'read',
      params: clientPath,
      answers: { 200: { description: 'The form as it was saved last.', schema: configAnswer } },
      async handle({ path, principal }) {
        const found = await readEmailConfig(database, path.client_id);
        if (!found || !maySee(principal, found.apiKeyId)) throw noSuchForm(path.client_id);
        return {
          status: 200,
          body: {
            config: toConfigView(found.config),
            emails: found.emails.map((email) => toEntryView(email, { showsContent: owns(principal, email) })),
          },
        };
      },
    }),

    reads({
      id: 'listScheduledEmails',
      method: 'get',
      path: '/api/v1/scheduled-emails',
      tag,
      summary: 'List scheduled mails, soonest first',
      scope: 'read',
      query: listQuery,
      answers: { 200: { description: 'A page of mails.', schema: pageOf(emailListItem) } },
      handle: ({ query, principal }) => list(query, principal),
    }),

    reads({
      id: 'listScheduledEmailsOfClient',
      method: 'get',
      path: '/api/v1/client/{client_id}/scheduled-emails',
      tag,
      summary: "List a client's scheduled mails, soonest first",
      scope: 'read',
      params: clientPath,
      query: listQuery,
      answers: { 200: { description: 'A page of mails.', schema: pageOf(emailListItem) } },
      handle: ({ path, query, principal }) => list(query, principal, path.client_id),
    }),

    reads({
      id: 'getScheduledEmail',
      method: 'get',
      path: '/api/v1/scheduled-emails/{id}',
      tag,
      summary: 'Read a scheduled mail',
      description: 'Its ETag is what `If-Match` of a change wants.',
      scope: 'read',
      params: emailPath,
      answers: { 200: { description: 'The mail.', schema: emailView } },
      async handle({ path, principal }) {
        const email = scheduled(await readVisible(database, path.id, principal));
        const deliveries = await readDeliveries(database, path.id);
        const body = toEmailView(email, deliveries, {
          showsContent: owns(principal, email),
          waitingFor: await waitingFor(database, email.status),
        });
        return { status: 200, body, headers: { etag: etagOf(email) } };
      },
    }),

    changes({
      id: 'updateScheduledEmail',
      method: 'patch',
      path: '/api/v1/scheduled-emails/{id}',
      tag,
      summary: 'Change the time or the content of a scheduled mail',
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
        })
        .meta({ id: 'ScheduledEmailChange' }),
      bodyExample: { scheduled_datetime: '2030-03-02T09:00:00+01:00' },
      answers: { 200: { description: 'The mail as it is now.', schema: emailListItem } },
      problems: ['email-state', 'precondition-failed'],
      async handle({ path, body, principal, ifMatch }, tx) {
        scheduled(await readOwn(tx, path.id, principal));
        const reading = readDue(body);
        if ('faults' in reading) throw invalidFields(reading.faults);
        const { dueAt } = reading.due;
        const [isPast] = await findPast(tx, [dueAt]);
        if (isPast) throw invalidFields([pastFault(body.scheduled_datetime)]);
        return edit(tx, path.id, {
          principal,
          ifMatch,
          changes: {
            subject: body.subject,
            text: body.text,
            html: body.html,
            maxLateness: body.max_lateness,
            ...(dueAt && {
              dueAt,
              timeZone: reading.due.timeZone ?? null,
              localTime: reading.due.localTime ?? null,
            }),
          },
        });
      },
    }),

    changes({
      id: 'sendScheduledEmailNow',
      method: 'post',
      path: '/api/v1/scheduled-emails/{id}/send-now',
      tag,
      summary: 'Send a scheduled mail now',
      scope: 'send',
      knowsRevisions: true,
      params: emailPath,
      answers: { 200: { description: 'It is due now.', schema: emailListItem } },
      problems: ['email-state', 'precondition-failed'],
      async handle({ path, principal, ifMatch }, tx) {
        scheduled(await readOwn(tx, path.id, principal));
        const now: EmailChanges = { dueAt: 'now', timeZone: null, localTime: null, paused: false };
        const answer = await edit(tx, path.id, { principal, ifMatch, changes: now });
        return {
          ...answer,
          afterCommit: async () => {
            await sending.handOver(path.id);
            return readEmail(database, path.id).then(
              (email) => email && toListItem(email),
              () => undefined,
            );
          },
        };
      },
    }),

    changes({
      id: 'cancelScheduledEmail',
      method: 'post',
      path: '/api/v1/scheduled-emails/{id}/cancel',
      tag,
      summary: 'Cancel a scheduled mail',
      description: cancelDescription,
      scope: 'send',
      params: emailPath,
      answers: cancelAnswers,
      problems: ['email-state'],
      handle: ({ path, principal }, tx) => cancelScheduled(tx, path.id, principal),
    }),

    changes({
      id: 'deleteScheduledEmail',
      method: 'delete',
      path: '/api/v1/scheduled-emails/{id}',
      tag,
      summary: 'Cancel a scheduled mail (the same as POST …/cancel)',
      description: cancelDescription,
      scope: 'send',
      params: emailPath,
      answers: cancelAnswers,
      problems: ['email-state'],
      handle: ({ path, principal }, tx) => cancelScheduled(tx, path.id, principal),
    }),

    changes({
      id: 'processScheduledEmails',
      method: 'post',
      path: '/api/v1/process-scheduled-emails',
      tag,
      summary: 'Hand over what is due now',
      description:
        'For an external cron. The worker does this by itself every second; both together, at any concurrency, never ' +
        'send twice. Stops after 20 seconds; `more` says whether to call again.',
      scope: 'send',
      answers: {
        200: {
          description: 'What was done.',
          schema: z.strictObject({
            handed_over: z.int(),
            refused: z.int().meta({ description: 'Held now, with the reason.' }),
            put_off: z.int().meta({ description: 'The relay is away; they are tried again.' }),
            more: z.boolean(),
          }),
        },
      },
      async handle() {
        const nothing = { handed_over: 0, refused: 0, put_off: 0, more: false };
        return { status: 200, body: nothing, afterCommit: () => sending.handOverDue() };
      },
    }),
  ];

  async function list(
    query: z.output<typeof listQuery>,
    principal: Principal,
    clientId?: string,
  ): Promise<Answer> {
    const filter: EmailFilter = {
      apiKeyId: listedFor(principal),
      kinds: ['scheduled'],
      statuses: query.status,
      clientId,
      dueFrom: query.due_from,
      dueBefore: query.due_before,
    };
    return { status: 200, body: toEmailPage(await listByDueTime(database, filter, query)) };
  }
}

function scheduled(email: Email): Email {
  if (email.kind !== 'scheduled') throw noSuchEmail(email.id);
  return email;
}

/** The form may be seen by its own key, and by whoever sees all mail. */
const maySee = (principal: Principal, apiKeyId: string | null) =>
  listedFor(principal) === undefined || owns(principal, { apiKeyId });

const noSuchForm = (clientId: string) =>
  new Problem('not-found', `The client ${clientId} has no email-config of this key.`);

async function edit(
  tx: Queryable,
  emailId: string,
  given: { principal: Asked['principal']; ifMatch: string | undefined; changes: EmailChanges },
): Promise<Answer> {
  const result = await editEmail(tx, emailId, given.changes, {
    actor: actorOf(given.principal),
    revision: readRevision(given.ifMatch),
  });
  switch (result.outcome) {
    case 'unknown':
      throw noSuchEmail(emailId);
    case 'locked':
      throw wrongState(result.email.status, 'It has left or is leaving, so it cannot be changed.');
    case 'changed-meanwhile':
      throw new Problem('precondition-failed', 'Somebody changed this mail since you read it.', {
        headers: { etag: etagOf(result.email) },
      });
    case 'updated':
      return { status: 200, body: toListItem(result.email), headers: { etag: etagOf(result.email) } };
  }
}

async function cancelScheduled(
  tx: Queryable,
  emailId: string,
  principal: Asked['principal'],
): Promise<Answer> {
  scheduled(await readOwn(tx, emailId, principal));
  return { status: 200, body: await cancel(tx, emailId, principal) };
}

const etagOf = ({ revision }: Pick<Email, 'revision'>) => `"${revision}"`;

/** RFC 9110 section 13.1.1; `*` matches whatever is there, and what we never said matches nothing. */
function readRevision(ifMatch: string | undefined): number | undefined {
  if (ifMatch === undefined || ifMatch.trim() === '*') return undefined;
  const revision = /^\s*"(\d{1,9})"\s*$/.exec(ifMatch)?.[1];
  return revision === undefined ? -1 : Number(revision);
}
