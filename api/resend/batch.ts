// POST /resend/emails/batch: a bare list of mails, all or none unless the client asks for `permissive`.
import { invalidFields } from '../faults.ts';
import type { Call, Operation, Preparation } from '../operation.ts';
import type { Fault } from '../problem.ts';
import { inClientsNames, toEmailDraft } from './email-request.ts';
import { messageOf } from './error.ts';
import { mount } from './mount.ts';

type Answered = {
  readonly data: readonly (
    | { readonly index: number; readonly id: string }
    | { readonly index: number; readonly errors: readonly Fault[] }
  )[];
};

export function clientBatch(engine: Operation, prepare: Preparation): Operation {
  return mount(engine, {
    id: 'resend.batch.send',
    path: '/resend/emails/batch',
    takesOctets: true,
    prepare,
    ask: async ({ body }, now) => ({ body: await toDrafts(body, now) }),
    tell: toBatch,
    rename: inClientsNames,
  });
}

async function toDrafts(body: unknown, now: () => Promise<Date>): Promise<unknown> {
  if (!Array.isArray(body)) return body;
  // All that say their time in words mean the same now.
  let time: Promise<Date> | undefined;
  const once = () => {
    time ??= now();
    return time;
  };
  const drafts: unknown[] = [];
  for (const each of body) drafts.push(await toEmailDraft(each, once));
  return drafts;
}

/** Throws while the transaction is open where one of them is at fault and the client wants all or none. */
function toBatch({ data }: Answered, { header }: Call) {
  const faulty = data.flatMap((item) => ('errors' in item ? [item] : []));
  const isPermissive = header('x-batch-validation')?.toLowerCase() === 'permissive';
  if (faulty.length > 0 && !isPermissive)
    throw invalidFields(faulty.flatMap(({ index, errors }) => errors.map((fault) => inBatch(fault, index))));
  return {
    data: data.flatMap((item) => ('id' in item ? [{ id: item.id }] : [])),
    ...(isPermissive && {
      errors: faulty.map(({ index, errors }) => ({
        index,
        message: messageOf(invalidFields(errors.map(inClientsNames))),
      })),
    }),
  };
}

const inBatch = (fault: Fault, index: number): Fault => ({
  ...fault,
  pointer: `#/${index}${fault.pointer.slice(1)}`,
});
