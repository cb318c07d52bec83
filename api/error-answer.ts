// Whatever was thrown, as the answer that the caller may read (RFC 9457).
import type { ErrorRequestHandler } from 'express';
import { isUnavailable } from '../deploy/database.ts';
import type { Log } from '../deploy/log.ts';
import { Problem, problemDocument, problemTypes } from './problem.ts';
import { type RequestIds, type RequestLocals, requestIds } from './request-log.ts';

export function answerErrors(log: Log): ErrorRequestHandler {
  return (error, _request, response, next) => {
    const local = response.locals as RequestLocals;
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
export function problemOf(error: unknown, log: Log, local: RequestIds): Problem {
  if (error instanceof Problem) return error;
  if (isUnavailable(error)) {
    log.warn({ err: error, ...requestIds(local) }, 'PostgreSQL is away');
    return new Problem(
      'database-unavailable',
      'The database does not answer; nothing is known to have changed. Try again.',
      { headers: { 'retry-after': '2' } },
    );
  }
  if (isClientError(error))
    return new Problem('malformed-request', 'The address of the request cannot be read.');
  log.error({ err: error, ...requestIds(local) }, 'A request failed because of a mistake of ours');
  return new Problem('internal', 'Something is wrong on our side; the log has the request id.');
}

const isClientError = (error: unknown) => {
  const { status } = error as { status?: unknown };
  return typeof status === 'number' && status >= 400 && status < 500;
};
