// Serves one operation: who calls, how often, with which fields, and what it answers.
import type { Request, RequestHandler, Response } from 'express';
import type { Budget } from '../deploy/budget.ts';
import type { Database } from '../deploy/database.ts';
import type { Log } from '../deploy/log.ts';
import { takeTurn } from '../deploy/turn.ts';
import { send, sendEvents, sendText } from './answer.ts';
import { type Authenticate, type Principal, permit, stranger } from './authenticate.ts';
import { openChange } from './change.ts';
import { readParts } from './faults.ts';
import { fingerprintOf, readIdempotencyKey } from './idempotency.ts';
import { jsonBody } from './json-body.ts';
import { networkOf } from './network.ts';
import type { Call, Operation } from './operation.ts';
import { Problem } from './problem.ts';
import { defaultPerMinute, type RateLimit } from './rate-limit.ts';
import type { RequestLocals } from './request-log.ts';
import type { Turns } from './turns.ts';

export type AppDependencies = {
  readonly database: Database;
  readonly authenticate: Authenticate;
  readonly limit: RateLimit;
  readonly log: Log;
  /** For the bodies of large requests together. */
  readonly budget: Budget;
  readonly turns: Turns;
};

export function serve(operation: Operation, dependencies: AppDependencies): RequestHandler {
  const change = openChange(operation, dependencies);
  const parseBody = operation.body ? jsonBody(operation, dependencies.budget) : undefined;

  return async (request, response) => {
    const principal =
      operation.scope === 'public'
        ? stranger
        : // Who is signed in to the dashboard was recognised before (api/dashboard/).
          ((response.locals as RequestLocals).principal ??
          (await dependencies.authenticate(request.get('authorization'), request.ip ?? '')));
    if (operation.scope !== 'public') permit(principal, operation.scope);
    for (const [name, value] of Object.entries(
      await permitRate(operation, dependencies, principal, request),
    )) {
      response.set(name, value);
    }

    if (parseBody) await parseBody(request, response);
    await takeTurn();
    const call = {
      ...readFields(operation, request),
      principal,
      requestId: (response.locals as RequestLocals).requestId,
      traceparent: (response.locals as RequestLocals).traceparent,
      ifMatch: request.get('if-match'),
      header: (name: string) => request.get(name),
      get gone() {
        return hangUpSignal(response);
      },
      wantsEvents: request.accepts(['json', 'text/event-stream']) === 'text/event-stream',
    };

    // Strangers have no key; they may do little, and that is limited by the minute.
    using _ =
      operation.scope === 'public' ? undefined : await dependencies.turns.take(principal.id, operation);
    if (operation.run.kind === 'reads') {
      const answer = await operation.run.handle(call);
      if (answer.text) return sendText(response, answer, dependencies.log);
      return answer.events ? sendEvents(response, answer.events, dependencies.log) : send(response, answer);
    }
    const key = operation.method === 'post' ? readIdempotencyKey(request.get('idempotency-key')) : undefined;
    const idempotent = key && {
      key,
      // Strangers have no key that tells them apart, so their keys count where they come from.
      principal: operation.scope === 'public' ? `public:${networkOf(request.ip ?? '')}` : principal.id,
      method: request.method,
      path: request.path,
      fingerprint: await fingerprintOf(request.body as unknown),
    };
    await change({
      call,
      hold: (bytes) => holdMemory(bytes, response, dependencies.budget),
      idempotent,
      response,
    });
  };
}

// Less than a body waits: who waits here may hold the memory of a body.
const memoryPatienceMs = 10_000;

async function holdMemory(bytes: number, response: Response, budget: Budget): Promise<void> {
  const hold = await budget.reserve(Math.min(budget.total, bytes), memoryPatienceMs);
  if (!hold) {
    throw new Problem('busy', 'Too many large requests at once. Nothing of this request was stored.', {
      headers: { 'retry-after': '5' },
    });
  }
  response.once('close', () => hold[Symbol.dispose]());
  if (response.closed) hold[Symbol.dispose]();
}

async function permitRate(
  operation: Operation,
  { limit }: AppDependencies,
  principal: Principal,
  request: Request,
): Promise<Readonly<Record<string, string>>> {
  if (operation.scope !== 'public')
    return limit(`key:${principal.id}`, principal.ratePerMinute ?? defaultPerMinute);
  if (operation.publicPerMinute === undefined) return {};
  return limit(`${operation.id}:${networkOf(request.ip ?? '')}`, operation.publicPerMinute);
}

function readFields(operation: Operation, request: Request): Pick<Call, 'path' | 'query' | 'body'> {
  const path = operation.params?.safeParse(request.params);
  if (path && !path.success) throw new Problem('not-found', `Nothing is at ${request.path}.`);
  const query = operation.query && {
    in: 'query' as const,
    schema: operation.query,
    value: { ...request.query },
  };
  const body = operation.body && {
    in: 'body' as const,
    schema: operation.body,
    value: request.body as unknown,
  };
  const values = readParts([query, body].filter((part) => part !== undefined));
  return { path: path?.data, query: query && values[0], body: body && values[query ? 1 : 0] };
}

function hangUpSignal(response: Response): AbortSignal {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  return gone.signal;
}
