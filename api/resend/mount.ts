// An operation of the API in the shapes of the `resend` client: what it asks becomes a request to that operation, and
// the answer is told in its words. Nothing is decided here; scope, limits and idempotency are those of the operation.
import { z } from 'zod';
import type { Queryable } from '../../deploy/database.ts';
import { invalidFields, readParts } from '../faults.ts';
import type { Answer, Call, Operation, Preparation } from '../operation.ts';
import { type Fault, Problem } from '../problem.ts';

/** What an operation of the API is asked. */
type Asked = { readonly path?: unknown; readonly query?: unknown; readonly body?: unknown };

/**
 * @param now the time by the database's clock
 * @param tx the transaction of the operation, where it has one
 */
export type Ask = (call: Call, now: () => Promise<Date>, tx: Queryable | undefined) => Asked | Promise<Asked>;

type Mounted = {
  readonly id: string;
  readonly method?: Operation['method'];
  readonly path: string;
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  /** False where the client may send anything, because nothing of it is read. */
  readonly takesBody?: boolean;
  readonly takesOctets?: boolean;
  readonly prepare?: Preparation;
  readonly ask?: Ask;
  /** The body of the answer, from that of the operation. */
  // biome-ignore lint/suspicious/noExplicitAny: every operation answers in a shape of its own
  readonly tell: (body: any, call: Call) => unknown;
  /** A fault of the request to the operation, as one of the request that came. */
  readonly rename?: (fault: Fault) => Fault;
};

/** @param engine the operation of the API */
export function mount(engine: Operation, as: Mounted): Operation {
  const { id, method = engine.method, path, params, query } = as;
  const ask = as.ask ?? (({ path }: Call) => ({ path }));
  const rename = as.rename ?? ((fault: Fault) => fault);
  const told = (answer: Answer, call: Call): Answer => ({
    status: 200,
    // JSON on every 2xx: the client reads it without looking.
    body: as.tell(answer.body, call),
    keepKeyUntil: answer.keepKeyUntil,
    ...(answer.afterCommit && {
      afterCommit: async () => {
        const late = await answer.afterCommit?.();
        return late === undefined ? undefined : as.tell(late, call);
      },
    }),
  });
  const asked = async (call: Call, q?: Queryable): Promise<Call> => {
    const request = await ask(call, () => databaseTime(q), q);
    return { ...call, ...askOf(engine, request) };
  };
  const shared = {
    ...engine,
    id,
    method,
    path,
    params,
    query: query ?? (method === 'get' ? z.looseObject({}) : undefined),
    body: as.takesBody === false ? undefined : engine.body && z.unknown(),
    ...(as.prepare && { prepare: as.prepare }),
    ...(as.takesOctets && { takesOctets: true }),
  };
  const { run } = engine;
  if (run.kind === 'reads') {
    const handle = (call: Call) =>
      inItsWords(rename, async () => told(await run.handle(await asked(call)), call));
    return { ...shared, run: { kind: 'reads', handle } };
  }
  const handle = (call: Call, tx: Queryable) =>
    inItsWords(rename, async () => told(await run.handle(await asked(call, tx), tx), call));
  return { ...shared, run: { kind: 'changes', idempotency: run.idempotency, handle } };
}

/** Reads what is asked with the schemas of the operation, as if it had come that way. */
export function askOf(
  { params, query, body }: Operation,
  asked: Asked,
): Pick<Call, 'path' | 'query' | 'body'> {
  const path = params?.safeParse(asked.path);
  if (path && !path.success) throw new Problem('not-found', 'Nothing has this id.');
  const parts = [
    query && { name: 'query', in: 'query' as const, schema: query, value: asked.query ?? {} },
    body && { name: 'body', in: 'body' as const, schema: body, value: asked.body ?? {} },
  ].filter((part) => part !== undefined);
  const values = readParts(parts);
  const read = Object.fromEntries(parts.map(({ name }, index) => [name, values[index]]));
  return { path: path?.data, query: read.query, body: read.body };
}

/** Faults of the request to the operation become those of the request that came. */
export async function inItsWords<T>(rename: (fault: Fault) => Fault, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Problem && error.type === 'invalid-fields')
      throw invalidFields((error.errors ?? []).map(rename));
    throw error;
  }
}

async function databaseTime(q: Queryable | undefined): Promise<Date> {
  const { rows } = (await q?.query<{ now: Date }>('select now() as now')) ?? { rows: [] };
  if (!rows[0]) throw new Error('This operation reads no clock');
  return rows[0].now;
}
