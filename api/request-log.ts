// Every request gets an id and a trace, a line in the log and a number in the metrics. The line has the route, never the
// address with what it may contain.
import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';
import type { Log } from '../deploy/log.ts';
import {
  endFailed,
  joinTrace,
  type Span,
  startRequestSpan,
  traceIdOf,
  traceparentOf,
} from '../deploy/trace.ts';
import type { Principal } from './authenticate.ts';
import type { AnsweredRequest } from './pages/metrics.ts';
import type { Person } from './people/role.ts';

/** What `response.locals` holds of a request. */
export type RequestLocals = {
  requestId: string;
  traceparent: string;
  principal?: Principal;
  /** Who is signed in to the dashboard, on its own routes. */
  person?: Person;
};

export type RequestIds = Pick<RequestLocals, 'requestId' | 'traceparent'>;

/** What every line of the log about a request says. */
export const requestIds = ({ requestId, traceparent }: RequestIds) => ({
  requestId,
  traceId: traceIdOf(traceparent),
});

/** Gives the request its id and its line in the log: the route, never the address with what it may contain. */
export function logRequests(log: Log, answered: (request: AnsweredRequest) => void): RequestHandler {
  return (request, response, next) => {
    const given = request.get('x-request-id');
    const requestId = given !== undefined && /^[\w.:-]{1,100}$/.test(given) ? given : randomUUID();
    const startedAt = performance.now();
    const header = request.get('traceparent');
    const span = startRequestSpan(request.method, header);
    const traceparent = span ? traceparentOf(span) : joinTrace(header);
    Object.assign(response.locals, { requestId, traceparent } satisfies RequestLocals);
    response.set('x-request-id', requestId);
    response.on('close', () => {
      const { method } = request;
      const route = (request.route as { path?: string } | undefined)?.path ?? 'none';
      const status = response.writableFinished ? response.statusCode : 'aborted';
      const ms = performance.now() - startedAt;
      answered({ method, route, status, seconds: ms / 1000 });
      const line = {
        event: 'request',
        ...requestIds({ requestId, traceparent }),
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
