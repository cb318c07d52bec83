// Whatever was thrown, as the answer that the caller may read (RFC 9457).
import type { ErrorRequestHandler } from 'express';
import { isUnavailable } from '../deploy/database.ts';
import type { Log } from '../deploy/log.ts';
import { Problem, problemDocument, problemTypes } from './problem.ts';
import { type RequestIds, type RequestLocals, requestIds } from './request-log.ts';
import { clientError, isOfClient } from './resend/error.ts';

export function answerErrors(log: Log): ErrorRequestHandler {
  return (error, request, response, next) => {
    const local = response.locals as RequestLocals;
    // Half an answer cannot be taken back: the connection is closed, so that nobody takes it for a whole one.
    if (response.headersSent) return next(error);
    const problem = problemOf(error, log, local);
    const { status, type, body } = isOfClient(request.path)
      ? { ...clientError(problem, local.requestId), type: 'application/json' }
      : {
          status: problemTypes[problem.type].status,
          type: 'application/problem+json',
          body: problemDocument(problem, local.requestId),
        };
    response
      .status(status)
      .set({ ...problem.headers, 'cache-control': 'no-store' })
      .set('content-type', `${type}; charset=utf-8`)
      .end(JSON.stringify(body));
  };
}

/** From whatever was thrown to what the caller may read; what the caller may not read goes to the log. */
export function problemOf(error: unknown, log: Log, local: RequestIds): Problem {
  if (error instanceof Problem) return error;
  if (isUnavailable(error)) {
    log.warn({ err: error, ...requestIds(local) }, 'PostgreSQL is unavailable');
    return new Problem(
      'database-unavailable',
      'The database does not answer. The request may not have been carried out. Try again.',
      { headers: { 'retry-after': '2' } },
    );
  }
  if (isClientError(error)) return new Problem('malformed-request', 'The URL of the request is not valid.');
  log.error({ err: error, ...requestIds(local) }, 'Request failed because of an internal error');
  return new Problem('internal', 'Internal error. The log of the api has the details under the request id.');
}

const isClientError = (error: unknown) => {
  const { status } = error as { status?: unknown };
  return typeof status === 'number' && status >= 400 && status < 500;
};
