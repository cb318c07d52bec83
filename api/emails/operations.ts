// Single mails: asked for, looked up, called back, and their way told step by step.

import { z } from 'zod';
import type { Database, Queryable } from '../../deploy/database.ts';
import { cancelEmailWithin } from '../../relay/client/cancel.ts';
import {
  type InsertedEmail,
  insertEmail,
  insertEmails,
  readDeliveries,
  readEmail,
} from '../../relay/client/email.ts';
import { listEmails } from '../../relay/client/list.ts';
import { resolveEmailWithin } from '../../relay/client/resolve.ts';
import { retryEmailWithin } from '../../relay/client/retry.ts';
import { readTimeline } from '../../relay/client/timeline.ts';
import { type Status, statuses } from '../../relay/client/vocabulary.ts';
import { waitingFor } from '../diagnosis/lanes.ts';
import { invalidFields, readPart } from '../faults.ts';
import { address, id, line, listOf, pageOf, pageQuery, time } from '../fields.ts';
import { type Asked, changes, type Operation, reads } from '../operation.ts';
import { type Fault, Problem } from '../problem.ts';
import type { Sending } from '../sending.ts';
import { checkEmail, checkEmails, surroundingsOf } from './create.ts';
import { type AskedEmail, emailDraft } from './draft.ts';
import {
  emailKinds,
  emailListItem,
  emailView,
  eventView,
  toEmailPage,
  toEmailView,
  toEventView,
  toListItem,
} from './email.ts';
import { listedFor, noSuchEmail, owns, readOwn, readVisible } from './owner.ts';

const emailPath = z.strictObject({ id });

const tag = 'Emails';

// Attachments of one message of 25 MB in base64, and what surrounds them.
const bodyLimit = 36 * 1024 * 1024;
const batchSize = 100;

const example = {
  to: [{ address: 'ann@example.com', name: 'Ann Example' }],
  subject: 'Your receipt',
  text: 'Thank you for your order.',
  html: '<p>Thank you for your order.</p>',
  headers: { 'X-Order': '4711' },
};

const stateAnswer = (description: string) => ({
  200: { description, schema: z.strictObject({ id, status: z.enum(statuses) }) },
});

const faultView = z.looseObject({ in: z.string(), pointer: z.string(), detail: z.string() });

export function emailOperations({
  database,
  sending,
}: {
  database: Database;
  sending: Sending;
}): Operation[] {
  return [
    changes({
      id: 'sendEmail',
      method: 'post',
      path: '/api/v1/emails',
      tag,
      summary: 'Send a mail, now or later',
      description:
        'The answer is 202 as soon as the mail is committed; `status` tells where it is. Attachments are base64; ' +
        'the whole message may be as large as the relay takes (RELAY_MAX_MESSAGE_SIZE). Beside attachments, a body may ' +
        'hold 16 MB, 60,000 values and 32 levels. When too many large requests come at once, the answer is 503 with ' +
        'Retry-After.',
      scope: 'send',
      bodyLimit,
      takesFiles: true,
      body: emailDraft,
      bodyExample: example,
      answers: { 202: { description: 'Committed.', schema: emailListItem } },
      async handle(asked, tx) {
        const draft = await checkEmail(tx, asked.body, await surroundingsOf(tx, sending, asked));
        const inserted = await insertEmail(tx, draft);
        return {
          status: 202,
          body: await itemOf(tx, inserted.id),
          headers: { location: `/api/v1/emails/${inserted.id}` },
          keepKeyUntil: draft.dueAt,
          afterCommit: () => handOverAndDescribe(inserted),
        };
      },
    }),

    changes({
      id: 'sendEmails',
      method: 'post',
      path: '/api/v1/emails/batch',
      tag,
      summary: `Send up to ${batchSize} mails at once`,
      description:
        'Each mail has an answer of its own, in the order of the request: those in order are committed together, ' +
        'the others are named with their faults and nothing of them is kept. When none is in order the answer is 422.',
      scope: 'send',
      bodyLimit,
      takesFiles: true,
      body: batchOf(z.unknown()).transform((given) =>
        Array.isArray(given) ? { emails: given, pointer: '#' } : { ...given, pointer: '#/emails' },
      ),
      describedBody: batchOf(emailDraft).meta({ id: 'EmailBatch' }),
      bodyExample: { emails: [example] },
      answers: {
        202: {
          description: 'Each mail was committed or refused.',
          schema: z.strictObject({
            data: z.array(
              z.union([
                z.strictObject({ index: z.int(), id, status: z.enum(statuses) }),
                z.strictObject({ index: z.int(), errors: z.array(faultView) }),
              ]),
            ),
          }),
        },
      },
      async handle(asked, tx) {
        const items = await checkBatch(tx, asked.body.emails, await surroundingsOf(tx, sending, asked));
        const drafts = items.flatMap((item) => ('draft' in item ? [item.draft] : []));
        if (drafts.length === 0) throw invalidFields(items.flatMap(pointInto(asked.body.pointer)));
        const inserted = await insertEmails(tx, drafts);
        const born = drafts.map(({ from }): Status => (from ? 'pending' : 'held'));
        const describe = (states: readonly Status[]) => {
          let next = 0;
          return {
            data: items.map((item, index) => {
              if ('faults' in item) return { index, errors: item.faults };
              const email = inserted[next];
              return { index, id: email?.id, status: states[next++] };
            }),
          };
        };
        const latest = Math.max(0, ...drafts.map(({ dueAt }) => dueAt?.getTime() ?? 0));
        return {
          status: 202,
          body: describe(born),
          keepKeyUntil: latest > 0 ? new Date(latest) : undefined,
          afterCommit: async () => {
            const states = await Promise.all(inserted.map((email) => sending.handOver(email)));
            return describe(states.map((status, index) => status ?? (born[index] as Status)));
          },
        };
      },
    }),

    reads({
      id: 'listEmails',
      method: 'get',
      path: '/api/v1/emails',
      tag,
      summary: 'Find mails, newest first',
      description:
        'Every filter that is given has to hold. A key with the scope send and neither read nor admin sees its own mail.',
      scope: 'read',
      query: z.strictObject({
        ...pageQuery,
        status: listOf(statuses).optional().meta({ description: 'One status, or several with commas.' }),
        kind: listOf(emailKinds).optional().meta({ description: 'One kind, or several with commas.' }),
        recipient: address.optional(),
        customer_id: z.uuid('must be the id of a customer').optional(),
        client_id: line(200).optional(),
        q: line(200).optional().meta({ description: 'Looked for in the subject.' }),
        created_from: time.optional(),
        created_before: time.optional(),
        due_from: time.optional(),
        due_before: time.optional(),
      }),
      answers: { 200: { description: 'A page of mails.', schema: pageOf(emailListItem) } },
      async handle({ query, principal }) {
        const filter = {
          apiKeyId: listedFor(principal),
          statuses: query.status,
          kinds: query.kind,
          recipient: query.recipient,
          customerId: query.customer_id,
          clientId: query.client_id,
          subject: query.q,
          createdFrom: query.created_from,
          createdBefore: query.created_before,
          dueFrom: query.due_from,
          dueBefore: query.due_before,
        };
        return { status: 200, body: toEmailPage(await listEmails(database, filter, query)) };
      },
    }),

    reads({
      id: 'getEmail',
      method: 'get',
      path: '/api/v1/emails/{id}',
      tag,
      summary: 'Read a mail and what became of each recipient',
      description: '`sent` means that the provider took responsibility for it; more is not known.',
      scope: 'read',
      params: emailPath,
      answers: { 200: { description: 'The mail.', schema: emailView } },
      async handle({ path, principal }) {
        const email = await readVisible(database, path.id, principal);
        const deliveries = await readDeliveries(database, path.id);
        const body = toEmailView(email, deliveries, {
          showsContent: owns(principal, email),
          waitingFor: await waitingFor(database, email.status),
        });
        return { status: 200, body, headers: { etag: `"${email.revision}"` } };
      },
    }),

    reads({
      id: 'listEmailEvents',
      method: 'get',
      path: '/api/v1/emails/{id}/events',
      tag,
      summary: 'Read the timeline of a mail, oldest first',
      description: 'Every attempt with its route, stage, reply and durations.',
      scope: 'read',
      params: emailPath,
      answers: {
        200: { description: 'The timeline.', schema: z.strictObject({ data: z.array(eventView) }) },
      },
      async handle({ path, principal }) {
        await readVisible(database, path.id, principal);
        const events = await readTimeline(database, path.id);
        return { status: 200, body: { data: events.map(toEventView) } };
      },
    }),

    changes({
      id: 'cancelEmail',
      method: 'post',
      path: '/api/v1/emails/{id}/cancel',
      tag,
      summary: 'Call a mail back',
      description:
        '200 promises that no DATA for it will ever be sent; cancelling it again is 200 as well. 409 when a ' +
        'recipient is being sent to, has been sent to, or may have been.',
      scope: 'send',
      params: emailPath,
      answers: stateAnswer('Cancelled.'),
      problems: ['email-state'],
      async handle({ path, principal }, tx) {
        return { status: 200, body: await cancel(tx, path.id, principal) };
      },
    }),

    changes({
      id: 'retryEmail',
      method: 'post',
      path: '/api/v1/emails/{id}/retry',
      tag,
      summary: 'Try a mail again now',
      description:
        'For mail that is held, deferred, expired or bounced. Recipients that were served are never served again; ' +
        'mail that is uncertain is for `resolve`.',
      scope: 'send',
      params: emailPath,
      answers: stateAnswer('It is on its way again.'),
      problems: ['email-state'],
      async handle({ path, principal }, tx) {
        await readOwn(tx, path.id, principal);
        const result = await retryEmailWithin(tx, path.id, actorOf(principal));
        if (result.outcome === 'unknown') throw noSuchEmail(path.id);
        if (result.outcome === 'not-retryable')
          throw wrongState(result.status, 'There is nothing to try again.');
        return { status: 200, body: { id: path.id, status: result.status } };
      },
    }),

    changes({
      id: 'resolveEmail',
      method: 'post',
      path: '/api/v1/emails/{id}/resolve',
      tag,
      summary: 'Say what became of a mail that is uncertain',
      description:
        'All data was sent and the final reply never came, so nobody but the recipient or the provider can know ' +
        '(RFC 1047): it arrived (`sent`), it did not and goes out again (`resend`), or it is no longer wanted (`cancelled`).',
      scope: 'send',
      params: emailPath,
      body: z.strictObject({ outcome: z.enum(['sent', 'resend', 'cancelled']) }).meta({ id: 'Resolution' }),
      bodyExample: { outcome: 'sent' },
      answers: stateAnswer('Resolved.'),
      problems: ['email-state'],
      async handle({ path, body, principal }, tx) {
        await readOwn(tx, path.id, principal);
        const result = await resolveEmailWithin(tx, path.id, body.outcome, actorOf(principal));
        if (result.outcome === 'unknown') throw noSuchEmail(path.id);
        if (result.outcome === 'nothing-uncertain')
          throw wrongState(result.status, 'Nothing about it is uncertain.');
        return { status: 200, body: { id: path.id, status: result.status } };
      },
    }),
  ];

  async function itemOf(q: Queryable, emailId: string) {
    const email = await readEmail(q, emailId);
    if (!email) throw new Error('An email that was just stored cannot be read');
    return toListItem(email);
  }

  async function handOverAndDescribe(inserted: InsertedEmail) {
    await sending.handOver(inserted);
    // What was committed stays committed: without the database, the older state is told.
    return itemOf(database, inserted.id).catch(() => undefined);
  }
}

/** Who did it, for the timeline. */
export const actorOf = ({ id: key }: Asked['principal']) => `key:${key}`;

/** Mails in a list, or in a list that is called `emails`. */
function batchOf<Item extends z.ZodType>(item: Item) {
  const list = z
    .array(item)
    .min(1, 'must have at least 1 entry')
    .max(batchSize, `must have at most ${batchSize} entries`);
  return z.union([list, z.strictObject({ emails: list })]);
}

type BatchItem = Awaited<ReturnType<typeof checkEmails>>[number];

/** The faults of an item as faults of the whole body. */
const pointInto = (pointer: string) => (item: BatchItem, index: number) =>
  'faults' in item
    ? item.faults.map((fault) => ({ ...fault, pointer: `${pointer}/${index}${fault.pointer.slice(1)}` }))
    : [];

async function checkBatch(
  q: Queryable,
  given: readonly unknown[],
  surroundings: Parameters<typeof checkEmails>[2],
): Promise<BatchItem[]> {
  const shaped = given.map((each): { asked: AskedEmail } | { faults: readonly Fault[] } => {
    const reading = readPart({ in: 'body', schema: emailDraft, value: each });
    return 'data' in reading ? { asked: reading.data } : reading;
  });
  const checked = await checkEmails(
    q,
    shaped.flatMap((item) => ('asked' in item ? [item.asked] : [])),
    surroundings,
  );
  let next = 0;
  return shaped.map((item) => ('faults' in item ? item : (checked[next++] as BatchItem)));
}

/** Cancels, and tells the state; throws `email-state` when it is too late. */
export async function cancel(tx: Queryable, emailId: string, principal: Asked['principal']) {
  await readOwn(tx, emailId, principal);
  const result = await cancelEmailWithin(tx, emailId, actorOf(principal));
  if (result.outcome === 'unknown') throw noSuchEmail(emailId);
  if (result.outcome === 'too-late') {
    throw wrongState(result.status, 'It cannot be called back any more.');
  }
  return { id: emailId, status: result.status };
}

export const wrongState = (status: Status, consequence: string) =>
  new Problem('email-state', `The mail is ${status}. ${consequence}`, {
    members: { current_status: status },
  });
