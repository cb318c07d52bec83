// The suppression list in the shapes of the client, which names an entry by its id or its address.
import { z } from 'zod';
import type { Database, Queryable } from '../../deploy/database.ts';
import { keyOfSuppression } from '../../relay/client/suppression/by-id.ts';
import { readParts } from '../faults.ts';
import type { Answer, Call, Operation } from '../operation.ts';
import { type Fault, Problem } from '../problem.ts';
import type { suppressionView } from '../suppressions/suppression.ts';
import { forwardOnly, toList } from './list.ts';
import { type Ask, askOf, inItsWords, mount } from './mount.ts';

type View = z.output<typeof suppressionView>;

const entryPath = z.strictObject({ entry: z.string().max(320) });
const emails = z
  .array(z.string())
  .min(1, 'must have at least 1 entry')
  .max(100, 'must have at most 100 entries');

/** The reason `unsubscribe` is told as it is, although the client knows three origins only. */
const toEntry = ({ id, address, stream, reason, source_email_id, created_at }: View) => ({
  id,
  email: address,
  origin: reason,
  source_id: source_email_id,
  created_at,
  // An entry for one stream lets other mail pass.
  ...(stream !== null && { stream }),
});

const asEmail = (fault: Fault): Fault => ({
  ...fault,
  pointer: fault.pointer.replace(/^#\/address/, '#/email').replace(/^#\/reason/, '#/origin'),
});

const isId = (entry: string) => z.uuid().safeParse(entry).success;

export function clientSuppressions(engine: (id: string) => Operation, database: Database): Operation[] {
  /** What the operations of the API find it by. */
  const find = async (entry: string, q: Queryable = database) => {
    const key = isId(entry) ? await keyOfSuppression(q, entry) : { address: entry, stream: undefined };
    if (key === undefined) throw new Problem('not-found', 'Nothing on the suppression list has this id.');
    return { path: { address: key.address }, query: { stream: key.stream } };
  };
  const entryOf = ({ path }: Call) => (path as { entry: string }).entry;
  const byEntry: Ask = (call, _, tx) => find(entryOf(call), tx);
  return [
    mount(engine('addSuppression'), {
      id: 'resend.suppressions.add',
      path: '/resend/suppressions',
      ask: ({ body }) => ({ body: toDraft(body) }),
      tell: ({ id }) => ({ object: 'suppression', id }),
      rename: asEmail,
    }),
    mount(engine('listSuppressions'), {
      id: 'resend.suppressions.list',
      path: '/resend/suppressions',
      query: forwardOnly.extend({ origin: z.string().optional() }),
      ask: ({ query }) => {
        const { origin, ...page } = query as { origin?: string };
        return { query: { ...page, ...(origin !== undefined && { reason: origin }) } };
      },
      tell: toList(toEntry),
      rename: asEmail,
    }),
    mount(engine('getSuppression'), {
      id: 'resend.suppressions.get',
      path: '/resend/suppressions/{entry}',
      params: entryPath,
      ask: byEntry,
      tell: (view: View) => ({ object: 'suppression', ...toEntry(view) }),
    }),
    mount(engine('removeSuppression'), {
      id: 'resend.suppressions.remove',
      path: '/resend/suppressions/{entry}',
      params: entryPath,
      ask: byEntry,
      tell: (_, call) => ({ object: 'suppression', id: entryOf(call), deleted: true }),
    }),
    many(engine('addSuppression'), {
      id: 'resend.suppressions.batch.add',
      path: '/resend/suppressions/batch/add',
      body: z.strictObject({ emails }),
      each: async (email, run) => {
        const { body } = await run({ body: { address: email } });
        return { object: 'suppression', id: (body as View).id };
      },
    }),
    many(engine('removeSuppression'), {
      id: 'resend.suppressions.batch.remove',
      path: '/resend/suppressions/batch/remove',
      body: z.union([z.strictObject({ emails }), z.strictObject({ ids: emails })]),
      each: async (entry, run, tx) => {
        const deleted = await removed(async () => run(await find(entry, tx)));
        return { object: 'suppression', id: entry, deleted };
      },
    }),
  ];
}

function toDraft(body: unknown): unknown {
  if (typeof body !== 'object' || body === null) return body;
  const { email, ...same } = body as Readonly<Record<string, unknown>>;
  return { ...same, address: email };
}

type Many = {
  readonly id: string;
  readonly path: string;
  readonly body: z.ZodType;
  readonly each: (
    entry: string,
    run: (request: { path?: unknown; query?: unknown; body?: unknown }) => Promise<Answer>,
    tx: Queryable,
  ) => Promise<unknown>;
};

/** All of them in one transaction: one that is at fault changes nothing. */
function many(engine: Operation, { id, path, body, each }: Many): Operation {
  const { run } = engine;
  if (run.kind !== 'changes') throw new Error(`${engine.id} changes nothing`);
  const handle = async (call: Call, tx: Queryable): Promise<Answer> => {
    const [given] = readParts([{ in: 'body', schema: body, value: call.body }]) as [Record<string, string[]>];
    const [name, entries] = Object.entries(given)[0] ?? ['emails', []];
    const data: unknown[] = [];
    for (const [index, entry] of entries.entries()) {
      const at = (fault: Fault) => ({ ...fault, pointer: `#/${name}/${index}` });
      data.push(
        await inItsWords(at, () =>
          each(entry, (request) => run.handle({ ...call, ...askOf(engine, request) }, tx), tx),
        ),
      );
    }
    return { status: 200, body: { data } };
  };
  return {
    ...engine,
    id,
    path,
    method: 'post',
    params: undefined,
    query: undefined,
    body: z.unknown(),
    run: { kind: 'changes', idempotency: 'stored', handle },
  };
}

/** What is not on the list need not be removed. */
async function removed(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof Problem && error.type === 'not-found') return false;
    throw error;
  }
}
