// The one list of who may do what, against all routes that are mounted.
import { expect, test } from 'vitest';
import { dashboardPages } from '../../../api/dashboard/dashboard.ts';
import type { Operation } from '../../../api/operation.ts';
import { allOperations } from '../../../api/operations.ts';
import { leastRole, rights } from '../../../api/people/rights.ts';
import { openLog } from '../../../deploy/log.ts';

type Layer = {
  route?: { path: string | string[]; methods: Record<string, boolean> };
  handle: { stack?: Layer[] };
};

/** `GET /dashboard/emails/:id`, of a router and the routers in it. */
function routesOf({ stack = [] }: { stack?: Layer[] }): string[] {
  return stack.flatMap(({ route, handle }) =>
    route
      ? [route.path]
          .flat()
          .flatMap((path) => Object.keys(route.methods).map((method) => `${method.toUpperCase()} ${path}`))
      : routesOf(handle),
  );
}

/** Before anybody is signed in. */
const forStrangers = [
  'GET /dashboard/leave',
  'GET /dashboard/session',
  'POST /dashboard/sign-in',
  'POST /dashboard/sign-out',
];

const stopping = new AbortController();
const mounted = routesOf(
  dashboardPages({
    database: {} as never,
    password: 'open sesame',
    limit: async () => ({}),
    log: openLog('api', 'silent'),
    stopping: stopping.signal,
  }) as never,
).filter((route) => route.includes(' /dashboard/') && !forStrangers.includes(route));
stopping.abort();

const actOf = ({ method, path }: Operation) =>
  `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`;
const operations = allOperations({
  database: {} as never,
  sending: {} as never,
  publicUrl: 'https://postern.shop.test',
  providerVariables: [],
});

test('every route and every operation has a role, and the list names nothing else', () => {
  expect(mounted.length).toBeGreaterThan(15);
  expect(Object.keys(rights).sort()).toEqual([...mounted, ...operations.map(actOf)].sort());
});

test('what asks for more than reading is not for the role view', () => {
  for (const operation of operations) {
    if (rights[actOf(operation)] !== 'view') continue;
    expect([actOf(operation), operation.scope]).toEqual([
      actOf(operation),
      expect.stringMatching(/^(?:read|public)$/),
    ]);
  }
});

test.each([
  ['GET', '/dashboard/emails', 'view'],
  ['HEAD', '/dashboard/emails', 'view'],
  ['GET', '/dashboard/emails/017f22e2-79b0-7cc3-98c4-dc0c0c07398f', 'view'],
  ['GET', '/dashboard/emails/017f22e2-79b0-7cc3-98c4-dc0c0c07398f/preview/', 'operate'],
  ['GET', '/Dashboard/Emails/1/SOURCE', 'operate'],
  ['GET', '/dashboard/emails.csv', 'operate'],
  ['GET', '/api/v1/suppressions/export', 'operate'],
  ['GET', '/api/v1/suppressions/ann@example.com', 'view'],
  ['POST', '/dashboard/emails/act', 'operate'],
  ['GET', '/dashboard/not-in-the-list', 'admin'],
  ['GET', '/api/v1/suppressions/ann@example.com/more', 'admin'],
  ['PUT', '/dashboard/emails', 'admin'],
])('%s %s needs %s', (method, path, role) => {
  expect(leastRole(method, path)).toBe(role);
});
