// One operation of the API, declared once: serve.ts serves it, faults.ts reads its fields with these schemas,
// and openapi/ describes it from them.
import type { z } from 'zod';
import type { Queryable } from '../deploy/database.ts';
import type { Principal, Scope } from './authenticate.ts';
import { Problem, type ProblemType } from './problem.ts';

/** A request whose fields have been read. */
export type Call<Path = unknown, Query = unknown, Body = unknown> = {
  readonly path: Path;
  readonly query: Query;
  readonly body: Body;
  readonly principal: Principal;
  readonly requestId: string;
  /** The trace that this request belongs to (deploy/trace.ts). */
  readonly traceparent: string;
  /** The `If-Match` header, where the operation knows revisions. */
  readonly ifMatch: string | undefined;
  /** Any other header, by its name. */
  readonly header: (name: string) => string | undefined;
  /** Whether the caller would rather read a stream of server-sent events. */
  readonly wantsEvents: boolean;
  /** Aborts when the caller has hung up. */
  readonly gone: AbortSignal;
};

export type Answer = {
  readonly status: number;
  readonly body?: unknown;
  /** Sent one by one as server-sent events instead of a body; a problem thrown on the way is the last of them. */
  readonly events?: AsyncIterable<{ readonly event: string; readonly data: unknown }>;
  /** Sent one by one as text of this type instead of a body. */
  readonly text?: { readonly type: string; readonly chunks: AsyncIterable<string> };
  readonly headers?: Readonly<Record<string, string>>;
  /** When an Idempotency-Key of this request has to last longer than a day. */
  readonly keepKeyUntil?: Date | undefined;
  /** Runs once the transaction is committed; what it returns is the body instead. It must not throw. */
  readonly afterCommit?: () => Promise<unknown>;
};

export type DeclaredAnswer = {
  readonly description: string;
  readonly schema?: z.ZodType;
  readonly example?: unknown;
  readonly contentType?: string;
};

/**
 * What takes time and must not keep a transaction open: it answers the call from then on. Undefined where there is nothing
 * to prepare.
 *
 * @param hold waits for memory, which is given back when the answer is out or the client gone
 */
export type Preparation = (
  call: Call,
  hold: (bytes: number) => Promise<void>,
) => (() => Promise<Call>) | undefined;

type Shared = {
  /** Also the name of its file. The operationId follows from it and from the path (openapi/operation-name.ts). */
  readonly id: string;
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** As in OpenAPI: `/api/customers/{id}`. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** Keys with any of these may call it, `admin` always; `public` needs no key. */
  readonly scope: Scope | 'public';
  /** Bytes; 64 KB unless told. */
  readonly bodyLimit?: number;
  /** Members of the body called `content` are files in base64, and reach the schema as a Buffer. */
  readonly takesFiles?: boolean;
  /** Lists of octets in members called `data` are files too, and reach the schema as a Buffer. */
  readonly takesOctets?: boolean;
  /** Where it is served as well, to those who send or ask for `text/csv`: the path of an operation in JSON after it. */
  readonly csvOf?: string;
  /** The body is text of this type, not JSON, and reaches the schema as one string. */
  readonly textBody?: 'text/csv';
  readonly prepare?: Preparation;
  readonly bodyExample?: unknown;
  /** What OpenAPI tells of the body, where the handler reads its parts one by one. */
  readonly describedBody?: z.ZodType;
  readonly answers: Readonly<Record<number, DeclaredAnswer>>;
  /** The problems particular to it; those that any request can meet are added by openapi/problems.ts. */
  readonly problems?: readonly ProblemType[];
  /** Whether it honours `If-Match`. */
  readonly knowsRevisions?: boolean;
  /** Calls per minute of one address, for operations without a key. */
  readonly publicPerMinute?: number;
};

type Read<Schema extends z.ZodType | undefined> = Schema extends z.ZodType ? z.output<Schema> : undefined;

export type Operation = Shared & {
  readonly params: z.ZodType | undefined;
  readonly query: z.ZodType | undefined;
  readonly body: z.ZodType | undefined;
  readonly run:
    | { readonly kind: 'reads'; readonly handle: (call: Call) => Promise<Answer> }
    | {
        readonly kind: 'changes';
        readonly handle: (call: Call, tx: Queryable) => Promise<Answer>;
        /** For requests that share a transaction; answers in their order. */
        readonly handleMany?: HandleMany;
        /** `secret`: an answer that is told once and never stored. */
        readonly idempotency: 'stored' | 'secret';
      };
};

/** Declares an operation that only reads, or that is exempt from idempotency. */
export function reads<
  Path extends z.ZodType | undefined = undefined,
  Query extends z.ZodType | undefined = undefined,
  Body extends z.ZodType | undefined = undefined,
>(
  declared: Shared & {
    readonly params?: Path;
    readonly query?: Query;
    readonly body?: Body;
    readonly handle: (call: Call<Read<Path>, Read<Query>, Read<Body>>) => Promise<Answer>;
  },
): Operation {
  const { params, query, body, handle, ...shared } = declared;
  return {
    ...shared,
    params,
    query,
    body,
    run: { kind: 'reads', handle: handle as (call: Call) => Promise<Answer> },
  };
}

/**
 * Declares an operation that changes something. Its handler runs in one transaction, which rolls back
 * when it throws; a POST honours `Idempotency-Key` in the same transaction.
 */
export function changes<
  Path extends z.ZodType | undefined = undefined,
  Query extends z.ZodType | undefined = undefined,
  Body extends z.ZodType | undefined = undefined,
>(
  declared: Shared & {
    readonly params?: Path;
    readonly query?: Query;
    readonly body?: Body;
    readonly idempotency?: 'stored' | 'secret';
    readonly handle: (call: Call<Read<Path>, Read<Query>, Read<Body>>, tx: Queryable) => Promise<Answer>;
  },
): Operation {
  const { params, query, body, handle, idempotency = 'stored', ...shared } = declared;
  return {
    ...shared,
    params,
    query,
    body,
    run: {
      kind: 'changes',
      idempotency,
      handle: handle as (call: Call, tx: Queryable) => Promise<Answer>,
    },
  };
}

/** Answers many requests in one transaction. A problem among the answers must have changed nothing. */
type HandleMany<A extends Call = Call> = (
  calls: readonly A[],
  tx: Queryable,
) => Promise<readonly (Answer | Problem)[]>;

/**
 * Declares an operation that changes something and is called often: requests that come while others are
 * being committed share the next transaction, and with it the wait for the disk. One with an
 * Idempotency-Key has a transaction of its own, which holds that key.
 */
export function changesTogether<
  Path extends z.ZodType | undefined = undefined,
  Query extends z.ZodType | undefined = undefined,
  Body extends z.ZodType | undefined = undefined,
>(
  declared: Shared & {
    readonly params?: Path;
    readonly query?: Query;
    readonly body?: Body;
    readonly handleMany: HandleMany<Call<Read<Path>, Read<Query>, Read<Body>>>;
  },
): Operation {
  const { params, query, body, handleMany, ...shared } = declared;
  const many = handleMany as HandleMany;
  return {
    ...shared,
    params,
    query,
    body,
    run: {
      kind: 'changes',
      idempotency: 'stored',
      handleMany: many,
      async handle(call, tx) {
        const [answer] = await many([call], tx);
        if (!answer) throw new Error(`${declared.id} gave a request no answer`);
        if (answer instanceof Problem) throw answer;
        return answer;
      },
    },
  };
}
