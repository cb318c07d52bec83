// /metrics for Prometheus. The api is the one process that is published, so it asks for a key here.
import { Router } from 'express';
import type { Metrics } from '../../deploy/metrics.ts';
import { type Authenticate, permit } from '../authenticate.ts';

export function metricsPages(metrics: Metrics, authenticate: Authenticate): Router {
  const router = Router();
  router.get('/metrics', async (request, response) => {
    permit(await authenticate(request.get('authorization'), request.ip ?? ''), 'read');
    response
      .set({ 'content-type': 'text/plain; version=0.0.4; charset=utf-8', 'cache-control': 'no-store' })
      .end(await metrics.text());
  });
  return router;
}

/** Counts requests by what was asked, never by whom. */
export function requestMetrics(metrics: Metrics) {
  const count = metrics.counter({
    name: 'postern_http_requests_total',
    help: 'Requests answered, by operation and status.',
    labels: ['method', 'route', 'status'],
  });
  const observe = metrics.histogram({
    name: 'postern_http_request_duration_seconds',
    help: 'Time from the first byte of a request to the last byte of its answer.',
    labels: ['method', 'route'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  });
  return ({ method, route, status, seconds }: AnsweredRequest): void => {
    count({ method, route, status: String(status) });
    observe({ method, route }, seconds);
  };
}

export type AnsweredRequest = {
  readonly method: string;
  /** The pattern, such as `/api/customers/:id`; `none` where nothing is served. */
  readonly route: string;
  readonly status: number | 'aborted';
  readonly seconds: number;
};
