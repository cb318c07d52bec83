// POST /api/v1/emails/batch: many emails, each accepted or refused by itself.
import { z } from 'zod';
import type { Queryable } from '../../deploy/database.ts';
import { takeTurn } from '../../deploy/turn.ts';
import { insertEmails } from '../../relay/client/email/insert.ts';
import { type Status, statuses } from '../../relay/client/vocabulary.ts';
import { invalidFields, readPart } from '../faults.ts';
import { id } from '../fields.ts';
import { countRecipients } from '../keys/sends.ts';
import { changes, type Operation } from '../operation.ts';
import type { Fault } from '../problem.ts';
import type { Sending } from '../sending.ts';
import { checkEmails, readEmailContext } from './check.ts';
import { emailBodyLimit, emailDraft, exampleEmail, type RequestedEmail } from './draft.ts';

const batchSize = 100;

const faultView = z.looseObject({ in: z.string(), pointer: z.string(), detail: z.string() });

export function sendEmails({ sending }: { sending: Sending }): Operation {
  return changes({
    id: 'sendEmails',
    method: 'post',
    path: '/api/v1/emails/batch',
    tag: 'Emails',
    summary: `Send up to ${batchSize} emails at once`,
    description:
      'Each email has its own answer, in the order of the request. Valid emails are committed together; ' +
      'for the others the answer lists the faults, and nothing is stored. If none is valid, the answer is 422.',
    scope: 'send',
    bodyLimit: emailBodyLimit,
    takesFiles: true,
    body: batchOf(z.unknown()).transform((given) =>
      Array.isArray(given) ? { emails: given, pointer: '#' } : { ...given, pointer: '#/emails' },
    ),
    describedBody: batchOf(emailDraft).meta({ id: 'EmailBatch' }),
    bodyExample: { emails: [exampleEmail] },
    answers: {
      202: {
        description: 'Each email was committed or refused.',
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
    async handle(call, tx) {
      const items = await checkBatch(tx, call.body.emails, await readEmailContext(tx, sending, call));
      const drafts = items.flatMap((item) => ('draft' in item ? [item.draft] : []));
      if (drafts.length === 0) throw invalidFields(items.flatMap(pointInto(call.body.pointer)));
      await countRecipients(
        tx,
        call.principal,
        drafts.reduce((sum, { recipients }) => sum + recipients.length, 0),
      );
      const inserted = await insertEmails(tx, drafts);
      const first = drafts.map(({ from }): Status => (from ? 'pending' : 'held'));
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
        body: describe(first),
        keepKeyUntil: latest > 0 ? new Date(latest) : undefined,
        afterCommit: async () => {
          const states = await Promise.all(inserted.map((email) => sending.handOver(email)));
          return describe(states.map((status, index) => status ?? (first[index] as Status)));
        },
      };
    },
  });
}

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
  context: Parameters<typeof checkEmails>[2],
): Promise<BatchItem[]> {
  const shaped: ({ email: RequestedEmail } | { faults: readonly Fault[] })[] = [];
  for (const each of given) {
    await takeTurn();
    const reading = readPart({ in: 'body', schema: emailDraft, value: each });
    shaped.push('data' in reading ? { email: reading.data } : reading);
  }
  const checked = await checkEmails(
    q,
    shaped.flatMap((item) => ('email' in item ? [item.email] : [])),
    context,
  );
  let next = 0;
  return shaped.map((item) => ('faults' in item ? item : (checked[next++] as BatchItem)));
}
