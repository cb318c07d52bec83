// Serves the declared operations: who asks, how often, with which fields, in one transaction with their
// Idempotency-Key, and one translation of everything that can go wrong. It never listens, so tests can hold it.
import { randomUUID } from 'node:crypto';
import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Response,
} from 'express';
import helmet from 'helmet';
import { type Budget, openBudget, roomForBodies } from '../deploy/budget.ts';
import { type Database, isUnavailable, type Queryable } from '../deploy/database.ts';
import type { Log } from '../deploy/log.ts';
import {
  endFailed,
  joinTrace,
  type Span,
  startRequestSpan,
  traceIdOf,
  traceparentOf,
} from '../deploy/trace.ts';
import { takeTurn } from '../deploy/turn.ts';
import { type Authenticate, type Principal, permit, stranger } from './authenticate.ts';
import { copiesOfBody, readBody } from './body/read.ts';
import { readParts } from './faults.ts';
import { inGroups } from './group.ts';
import {
  amendAnswer,
  claimKey,
  fingerprintOf,
  type IdempotentRequest,
  readIdempotencyKey,
  storeAnswer,
} from './idempotency.ts';
import { networkOf } from './network.ts';
import type { Answer, Call, Operation } from './operation.ts';
import type { AnsweredRequest } from './pages/metrics.ts';
import { Problem, problemDocument, problemTypes } from './problem.ts';
import { defaultPerMinute, type RateLimit } from './rate-limit.ts';
import { openTurns, type Turns } from './turns.ts';

const defaultBodyLimit = 64 * 1024;

type Ground = {
  readonly database: Database;
  readonly authenticate: Authenticate;
  readonly limit: RateLimit;
  readonly log: Log;
  /** For the bodies of large requests together. */
  readonly budget: Budget;
  readonly turns: Turns;
};

/** A request on its way, with its id and its start. */
type Local = { requestId: string; traceparent: string; principal?: Principal };

/**
 * Builds the app. `pages` are routers that answer something else than JSON, such as /docs; they come
 * before the operations.
 */
export function buildApp({
  answered = () => {},
  operations,
  pages = [],
  trustedProxies = [],
  corsOrigins = [],
  budget = bodyBudget(operations),
  ...given
}: Omit<Ground, 'budget' | 'turns'> & {
  budget?: Budget;
  /** Told of every request when it is over. */
  answered?: (request: AnsweredRequest) => void;
  operations: readonly Operation[];
  pages?: readonly RequestHandler[];
  trustedProxies?: readonly string[];
  corsOrigins?: readonly string[];
}): Express {
  const ground = { ...given, budget, turns: openTurns() };
  const app = express();
  app.set('etag', false);
  app.set('case sensitive routing', true);
  app.set('query parser', 'simple');
  app.set('trust proxy', trustedProxies.length > 0 ? [...trustedProxies] : false);
  app.disable('x-powered-by');

  app.use(introduce(ground.log, answered));
  app.use(securityHeaders);
  if (corsOrigins.length > 0) app.use(crossOrigin(corsOrigins));
  for (const page of pages) app.use(page);
  for (const operation of operations) {
    app[operation.method](routeOf(operation), serve(operation, ground));
  }
  for (const [route, methods] of methodsByRoute(operations)) app.all(route, refuseMethod(methods));
  app.use((request) => {
    throw new Problem('not-found', `There is nothing at ${request.path}.`);
  });
  app.use(explain(ground.log));
  return app;
}

/** As much memory as this process has for the bodies of requests. */
export const bodyBudget = (operations: readonly Operation[]): Budget =>
  openBudget(roomForBodies(largestBodyOf(operations) * copiesOfBody));

const largestBodyOf = (operations: readonly Operation[]) =>
  Math.max(...operations.map(({ bodyLimit = defaultBodyLimit }) => bodyLimit));

function serve(operation: Operation, ground: Ground): RequestHandler {
  const change = changer(operation, ground);
  const parseBody = operation.body ? jsonBody(operation, ground.budget) : undefined;

  return async (request, response) => {
    const principal =
      operation.scope === 'public'
        ? stranger
        : // Who is signed in to the dashboard was recognised before (api/dashboard/).
          ((response.locals as Local).principal ??
          (await ground.authenticate(request.get('authorization'), request.ip ?? '')));
    if (operation.scope !== 'public') permit(principal, operation.scope);
    for (const [name, value] of Object.entries(await permitRate(operation, ground, principal, request))) {
      response.set(name, value);
    }

    if (parseBody) await parseBody(request, response);
    await takeTurn();
    const asked = {
      ...readFields(operation, request),
      principal,
      requestId: (response.locals as Local).requestId,
      traceparent: (response.locals as Local).traceparent,
      ifMatch: request.get('if-match'),
      get gone() {
        return hangUpOf(response);
      },
      wantsEvents: request.accepts(['json', 'text/event-stream']) === 'text/event-stream',
    };

    // Strangers have no key; they may do little, and that is limited by the minute.
    using _ = operation.scope === 'public' ? undefined : await ground.turns.take(principal.id, operation);
    if (operation.run.kind === 'reads') {
      const answer = await operation.run.handle(asked);
      return answer.events ? stream(response, answer.events, ground.log) : send(response, answer);
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
    await change({ asked, idempotent, response });
  };
}

async function permitRate(
  operation: Operation,
  { limit }: Ground,
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
  if (path && !path.success) throw new Problem('not-found', `There is nothing at ${request.path}.`);
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

type Change = (request: {
  asked: Call;
  idempotent: IdempotentRequest | '' | undefined;
  response: Response;
}) => Promise<void>;

/** How requests of this operation change something: in a transaction of their own, or in one they share. */
function changer(operation: Operation, { database, log }: Ground): Change {
  const { run } = operation;
  if (run.kind !== 'changes') return () => Promise.resolve();
  const { handle, handleMany, idempotency } = run;
  const alone = (asked: Call) => inTransaction(database, (tx) => handle(asked, tx));
  const together = handleMany && inGroups({ database, handleMany, alone });

  return async ({ asked, idempotent, response }) => {
    if (!idempotent) {
      const answer = await (together ?? alone)(asked);
      const late = await answer.afterCommit?.();
      await takeTurn();
      return send(response, late === undefined ? answer : { ...answer, body: late });
    }

    const outcome = await inTransaction(database, async (tx) => {
      const stored = await claimKey(tx, idempotent);
      if (stored) return { stored };
      const answer = await handle(asked, tx);
      const json = toJson(answer.body);
      await storeAnswer(tx, idempotent, {
        status: answer.status,
        answer: idempotency === 'secret' ? null : json,
        keepUntil: answer.keepKeyUntil,
      });
      return { answer, json };
    });
    if (outcome.stored) {
      response.set('idempotency-replayed', 'true');
      return sendJson(response, outcome.stored.status, outcome.stored.body);
    }
    const { answer, json } = outcome;
    const late = toJson(await answer.afterCommit?.());
    if (late !== null && idempotency === 'stored' && late !== json) {
      // Only the mail's status differs; a replay that tells the older one would be true as well.
      await amendAnswer(database, idempotent, late).catch((error) =>
        log.warn({ err: error, ...idsOf(asked) }, 'A stored answer could not be amended'),
      );
    }
    send(response, answer, late ?? json);
  };
}

/** Two transactions that wait for each other are nobody's fault: one of them is run again. */
async function inTransaction<T>(database: Database, work: (tx: Queryable) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await database.transaction(work);
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      const isDeadlock = code === '40P01' || code === '40001';
      if (!isDeadlock || attempt === 3) throw error;
    }
  }
}

function hangUpOf(response: Response): AbortSignal {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  return gone.signal;
}

/** https://html.spec.whatwg.org/multipage/server-sent-events.html */
async function stream(response: Response, events: NonNullable<Answer['events']>, log: Log): Promise<void> {
  response.status(200).set({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // nginx would collect the events otherwise.
    'x-accel-buffering': 'no',
  });
  response.flushHeaders();
  const tell = (event: string, data: unknown) =>
    response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  try {
    for await (const { event, data } of events) tell(event, data);
  } catch (error) {
    const local = response.locals as Local;
    tell('problem', problemDocument(problemOf(error, log, local), local.requestId));
  }
  response.end();
}

const toJson = (body: unknown): string | null => (body === undefined ? null : JSON.stringify(body));

function send(response: Response, answer: Answer, json = toJson(answer.body)): void {
  for (const [name, value] of Object.entries(answer.headers ?? {})) response.set(name, value);
  sendJson(response, answer.status, json);
}

function sendJson(response: Response, status: number, json: string | null): void {
  // A handler that streamed its answer has nothing left to send.
  if (response.headersSent) return;
  response.status(status).set('cache-control', 'no-store');
  if (json === null) response.end();
  else response.set('content-type', 'application/json; charset=utf-8').end(json);
}

/** `/api/customers/{id}` of OpenAPI is `/api/customers/:id` of Express. */
const routeOf = ({ path }: Operation) => path.replaceAll(/\{(\w+)\}/g, ':$1');

function methodsByRoute(operations: readonly Operation[]): Map<string, string> {
  const routes = Map.groupBy(operations, routeOf);
  return new Map(
    [...routes].map(([route, group]) => [route, group.map(({ method }) => method.toUpperCase()).join(', ')]),
  );
}

function refuseMethod(methods: string): RequestHandler {
  return (request) => {
    throw new Problem('method-not-allowed', `${request.method} is not possible here, but ${methods} is.`, {
      headers: { allow: methods },
    });
  };
}

const securityHeaders = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"] },
  },
  // Whether this host is reached by TLS only is for the proxy in front to say.
  strictTransportSecurity: false,
  crossOriginResourcePolicy: { policy: 'same-origin' },
});

/** Gives the request its id and its line in the log: the route, never the address with what it may contain. */
function introduce(log: Log, answered: (request: AnsweredRequest) => void): RequestHandler {
  return (request, response, next) => {
    const given = request.get('x-request-id');
    const requestId = given !== undefined && /^[\w.:-]{1,100}$/.test(given) ? given : randomUUID();
    const startedAt = performance.now();
    const header = request.get('traceparent');
    const span = startRequestSpan(request.method, header);
    const traceparent = span ? traceparentOf(span) : joinTrace(header);
    Object.assign(response.locals, { requestId, traceparent } satisfies Local);
    response.set('x-request-id', requestId);
    response.on('close', () => {
      const { method } = request;
      const route = (request.route as { path?: string } | undefined)?.path ?? 'none';
      const status = response.writableFinished ? response.statusCode : 'aborted';
      const ms = performance.now() - startedAt;
      answered({ method, route, status, seconds: ms / 1000 });
      const line = {
        event: 'request',
        ...idsOf({ requestId, traceparent }),
        method,
        route,
        status,
        ms: Math.round(ms),
      };
      if (span) endRequestSpan(span, { method, route, status });
      if (response.statusCode >= 500) log.warn(line, 'Request answered');
      else if (request.method === 'GET') log.debug(line, 'Request answered');
      else log.info(line, 'Request answered');
    });
    next();
  };
}

function endRequestSpan(
  span: Span,
  { method, route, status }: { method: string; route: string; status: number | 'aborted' },
): void {
  span.updateName(`${method} ${route}`);
  span.setAttributes({ 'http.request.method': method, 'http.route': route });
  if (typeof status === 'number') span.setAttribute('http.response.status_code', status);
  // What the caller did wrong is no failure of ours.
  if (status === 'aborted' || status >= 500) endFailed(span, String(status));
  else span.end();
}

type Ids = Pick<Local, 'requestId' | 'traceparent'>;

/** What every line of the log about a request says. */
const idsOf = ({ requestId, traceparent }: Ids) => ({ requestId, traceId: traceIdOf(traceparent) });

function crossOrigin(origins: readonly string[]): RequestHandler {
  return (request, response, next) => {
    response.vary('origin');
    const origin = request.get('origin');
    if (origin === undefined || !origins.includes(origin)) return next();
    response.set({
      'access-control-allow-origin': origin,
      'access-control-expose-headers':
        'Idempotency-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id, ETag',
      'cross-origin-resource-policy': 'cross-origin',
    });
    if (request.method !== 'OPTIONS' || request.get('access-control-request-method') === undefined)
      return next();
    response
      .status(204)
      .set({
        'access-control-allow-methods': 'GET, POST, PUT, PATCH, DELETE',
        'access-control-allow-headers':
          'Authorization, Content-Type, Idempotency-Key, If-Match, Traceparent, X-Request-Id',
        'access-control-max-age': '600',
      })
      .end();
  };
}

/** Reads the body of an operation. What it holds of memory is given back when the answer is out or the client gone. */
function jsonBody(
  { bodyLimit = defaultBodyLimit, takesFiles = false }: Operation,
  budget: Budget,
): (request: Request, response: Response) => Promise<void> {
  return async (request, response) => {
    const isEmpty =
      request.get('transfer-encoding') === undefined && !(Number(request.get('content-length')) > 0);
    // An operation whose fields are all optional may be called without a body.
    request.body = {};
    if (isEmpty) return;
    const type = request.get('content-type');
    if (!isJson(request)) {
      throw new Problem(
        'unsupported-media-type',
        `Send application/json${type ? `, not ${type.slice(0, 100)}` : ': the Content-Type is missing'}.`,
      );
    }
    if (!/^[^;]*(?:;\s*charset="?utf-8"?\s*)?$/i.test(type ?? ''))
      throw new Problem('unsupported-media-type', 'Send the body in UTF-8.');
    const body = await readBody(request, { limit: bodyLimit, takesFiles }, budget);
    response.once('close', () => body[Symbol.dispose]());
    if (response.closed) body[Symbol.dispose]();
    request.body = body.value;
  };
}

const isJson = (request: { headers: Record<string, string | string[] | undefined> }) =>
  /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(String(request.headers['content-type'] ?? ''));

const isClientError = (error: unknown) => {
  const { status } = error as { status?: unknown };
  return typeof status === 'number' && status >= 400 && status < 500;
};

function explain(log: Log): ErrorRequestHandler {
  return (error, _request, response, next) => {
    const local = response.locals as Local;
    // Half an answer cannot be taken back: the connection is closed, so that nobody takes it for a whole one.
    if (response.headersSent) return next(error);
    const problem = problemOf(error, log, local);
    const { status } = problemTypes[problem.type];
    response
      .status(status)
      .set({ ...problem.headers, 'cache-control': 'no-store' })
      .set('content-type', 'application/problem+json; charset=utf-8')
      .end(JSON.stringify(problemDocument(problem, local.requestId)));
  };
}

/** From whatever was thrown to what the caller may read; what the caller may not read goes to the log. */
function problemOf(error: unknown, log: Log, local: Ids): Problem {
  if (error instanceof Problem) return error;
  if (isUnavailable(error)) {
    log.warn({ err: error, ...idsOf(local) }, 'PostgreSQL is away');
    return new Problem(
      'database-unavailable',
      'The database does not answer; nothing is known to have changed. Try again.',
      { headers: { 'retry-after': '2' } },
    );
  }
  if (isClientError(error))
    return new Problem('malformed-request', 'The address of the request cannot be read.');
  log.error({ err: error, ...idsOf(local) }, 'A request failed because of a mistake of ours');
  return new Problem('internal', 'Something is wrong on our side; the log has the request id.');
}
