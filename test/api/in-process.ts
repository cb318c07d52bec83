// The whole API in the test's own process: real app, real listener on a socket, real PostgreSQL. Without a relay
// its mail stays in the outbox, which is what most of these tests look at.

import { buildApp } from '../../api/app.ts';
import { authenticator } from '../../api/authenticate.ts';
import { healthPages } from '../../api/health.ts';
import { listen } from '../../api/listen.ts';
import { allOperations } from '../../api/operations.ts';
import { causesPage } from '../../api/pages/causes.ts';
import { invitationPages } from '../../api/pages/invitation.ts';
import { manualPages } from '../../api/pages/manual.ts';
import { metricsPages, requestMetrics } from '../../api/pages/metrics.ts';
import { referencePages, referenceSections } from '../../api/pages/reference.ts';
import { type RateLimit, rateLimiter } from '../../api/rate-limit.ts';
import { notOfferedPages } from '../../api/resend/not-offered.ts';
import { resendOperations } from '../../api/resend/operations.ts';
import { openSending } from '../../api/sending.ts';
import { unsubscribePages } from '../../api/unsubscribe/pages.ts';
import { openUnsubscribe } from '../../api/unsubscribe/unsubscribe.ts';
import { openDatabase } from '../../deploy/database.ts';
import { openLog } from '../../deploy/log.ts';
import { openMetrics } from '../../deploy/metrics.ts';
import { openLastUse } from '../../relay/client/keys/last-use.ts';
import { openHandOver } from '../../relay/client/outbox/hand-over.ts';
import { freshDatabase, urlOfProcess } from '../kit/database.ts';
import { freePort } from '../kit/ports.ts';
import { keepSecretsOf, sawAnswer } from '../kit/secrets.ts';
import { expectDeclared } from './conformance.ts';

const apiKey = 'bootstrap-key-of-the-tests';

export type Reply = {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever shape the answer has
  readonly body: any;
  readonly text: string;
};

type Ask = { headers?: Record<string, string>; key?: string | null; body?: unknown; raw?: string | Buffer };

/** @param url another database than a fresh one, for outage tests */
export async function startApi({
  url,
  from = { address: 'hello@example.com', name: 'Example' },
  limit,
  trustedProxies = [],
  webhookAllowPrivate = [],
  publicUrl = 'https://postern.shop.test',
}: {
  url?: string;
  from?: { address: string; name?: string } | null;
  limit?: RateLimit;
  trustedProxies?: readonly string[];
  webhookAllowPrivate?: readonly string[];
  publicUrl?: string;
} = {}) {
  keepSecretsOf({ API_KEY: apiKey });
  await using resources = new AsyncDisposableStack();
  const fresh = url === undefined ? resources.use(await freshDatabase()) : undefined;
  const log = openLog('api', 'silent');
  const database = resources.use(
    openDatabase({
      url: urlOfProcess(url ?? fresh?.url ?? '', 'api'),
      applicationName: 'api-test',
      max: 16,
      log,
    }),
  );
  const owner = resources.use(
    openDatabase({ url: url ?? fresh?.url ?? '', applicationName: 'test', max: 2 }),
  );
  const handOver = resources.use(
    openHandOver({
      host: '127.0.0.1',
      port: await freePort(),
      user: 'postern',
      password: 'nobody listens there',
      sessions: 2,
      log,
    }),
  );
  const unsubscribe = await openUnsubscribe(database, publicUrl);
  const sending = openSending({ database, handOver, from: from ?? undefined, unsubscribe, log });
  const operations = allOperations({
    database,
    sending,
    publicUrl,
    providerVariables: [],
    webhookAllowPrivate,
  });
  const lastUse = resources.use(openLastUse(database, log));
  const authenticate = authenticator(database, apiKey, { used: lastUse.note });
  const metrics = openMetrics('api', log);
  const limitOrDefault = limit ?? rateLimiter(database);
  const app = buildApp({
    answered: requestMetrics(metrics),
    operations: [...operations, ...resendOperations(operations, { database, webhookAllowPrivate })],
    pages: [
      healthPages({ database, isStopping: () => false }),
      metricsPages(metrics, authenticate),
      invitationPages(),
      unsubscribePages({ database, unsubscribe, limit: limitOrDefault, log }),
      notOfferedPages(),
      referencePages(operations, { version: '0.0.0', publicUrl }),
      causesPage(database),
      manualPages(referenceSections(operations, '0.0.0')),
    ],
    database,
    authenticate,
    limit: limitOrDefault,
    log,
    trustedProxies,
  });
  const { port } = resources.use(await listen(app, { port: 0, bind: '127.0.0.1' }));
  const base = `http://127.0.0.1:${port}`;

  async function ask(
    method: string,
    path: string,
    { headers = {}, key = apiKey, body, raw }: Ask = {},
  ): Promise<Reply> {
    const response = await fetch(base + path, {
      method,
      headers: {
        ...(key !== null && { authorization: `Bearer ${key}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(raw !== undefined && { body: raw }),
    });
    const text = await response.text();
    sawAnswer(`${method} ${path}`, response.status, text);
    const type = response.headers.get('content-type') ?? '';
    const answer = type.includes('json') ? JSON.parse(text) : type.startsWith('text/csv') ? text : undefined;
    const reply = { status: response.status, headers: response.headers, body: answer, text };
    expectDeclared(operations, method, path, reply);
    return reply;
  }

  const kept = resources.move();
  return {
    base,
    key: apiKey,
    port,
    publicUrl,
    databaseUrl: url ?? fresh?.url ?? '',
    database,
    operations,
    ask,
    get: (path: string, options?: Ask) => ask('GET', path, options),
    post: (path: string, body?: unknown, options?: Ask) => ask('POST', path, { ...options, body }),
    patch: (path: string, body?: unknown, options?: Ask) => ask('PATCH', path, { ...options, body }),
    put: (path: string, body?: unknown, options?: Ask) => ask('PUT', path, { ...options, body }),
    delete: (path: string, options?: Ask) => ask('DELETE', path, options),
    /** As the owner of the database: what other processes would have written. */
    query: owner.query,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

export type Api = Awaited<ReturnType<typeof startApi>>;
