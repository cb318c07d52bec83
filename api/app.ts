// Builds the app out of its parts: what every request passes, the pages, and the operations. It never listens, so tests
// can hold it.
import express, { type Express, type Request, type RequestHandler, type Response } from 'express';
import type { Budget } from '../deploy/budget.ts';
import { allowOrigins } from './cors.ts';
import { answerErrors } from './error-answer.ts';
import { bodyBudget } from './json-body.ts';
import type { Operation } from './operation.ts';
import type { AnsweredRequest } from './pages/metrics.ts';
import { sendPage } from './pages/page.ts';
import { Problem } from './problem.ts';
import { logRequests } from './request-log.ts';
import { securityHeaders } from './security-headers.ts';
import { type AppDependencies, serve } from './serve.ts';
import { escapeHtml } from './templates/render.ts';
import { openTurns } from './turns.ts';

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
}: Omit<AppDependencies, 'budget' | 'turns'> & {
  budget?: Budget;
  /** Told of every request when it is over. */
  answered?: (request: AnsweredRequest) => void;
  operations: readonly Operation[];
  pages?: readonly RequestHandler[];
  trustedProxies?: readonly string[];
  corsOrigins?: readonly string[];
}): Express {
  const dependencies = { ...given, budget, turns: openTurns() };
  const app = express();
  app.set('etag', false);
  app.set('case sensitive routing', true);
  app.set('query parser', 'simple');
  app.set('trust proxy', trustedProxies.length > 0 ? [...trustedProxies] : false);
  app.disable('x-powered-by');

  app.use(logRequests(dependencies.log, answered));
  app.use(securityHeaders);
  if (corsOrigins.length > 0) app.use(allowOrigins(corsOrigins));
  for (const page of pages) app.use(page);
  for (const operation of operations) {
    const handle = serve(operation, dependencies);
    if (operation.csvOf) app[operation.method](operation.csvOf, onlyCsv, handle);
    app[operation.method](routeOf(operation), handle);
  }
  for (const [route, methods] of methodsByRoute(operations)) app.all(route, refuseMethod(methods));
  app.use((request, response) => {
    if (isPersonLooking(request)) return sendNotFound(response, request.path);
    throw new Problem('not-found', `Nothing is at ${request.path}.`);
  });
  app.use(answerErrors(dependencies.log));
  return app;
}

const onlyCsv: RequestHandler = (request, _response, next) => {
  const type = request.method === 'POST' ? request.is('text/csv') : request.accepts(['json', 'text/csv']);
  next(type === 'text/csv' || type === 'csv' ? undefined : 'route');
};

/** A browser asks for HTML first, and never below /api. */
const isPersonLooking = (request: Request) =>
  ['GET', 'HEAD'].includes(request.method) &&
  !/^\/(?:api|dashboard)\//.test(request.path) &&
  request.accepts(['json', 'html']) === 'html';

function sendNotFound(response: Response, path: string): void {
  sendPage(response, {
    title: 'Page not found',
    status: 404,
    body:
      `<h1>Page not found</h1><p>Nothing is at <code>${escapeHtml(path)}</code>.</p>` +
      '<p><a href="/">Dashboard</a> · <a href="/docs">Manual</a></p>',
  });
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
    throw new Problem('method-not-allowed', `${request.method} is not allowed here. Allowed: ${methods}.`, {
      headers: { allow: methods },
    });
  };
}
