// The dashboard in the test's own process: real app, real listener, real PostgreSQL, no relay and no worker.
import { randomUUID } from 'node:crypto';
import { buildApp } from '../../../api/app.ts';
import { authenticator } from '../../../api/authenticate.ts';
import { dashboardPages } from '../../../api/dashboard/dashboard.ts';
import { openSessions } from '../../../api/dashboard/session.ts';
import { listen } from '../../../api/listen.ts';
import { allOperations } from '../../../api/operations.ts';
import { oidcRoutes } from '../../../api/people/oidc/routes.ts';
import type { Role } from '../../../api/people/role.ts';
import { insertPerson } from '../../../api/people/store.ts';
import { rateLimiter } from '../../../api/rate-limit.ts';
import { openSending } from '../../../api/sending.ts';
import { openUnsubscribe } from '../../../api/unsubscribe/unsubscribe.ts';
import { openDatabase } from '../../../deploy/database.ts';
import { openLog } from '../../../deploy/log.ts';
import type { OidcSettings } from '../../../deploy/oidc.ts';
import { openHandOver } from '../../../relay/client/outbox/hand-over.ts';
import { freshDatabase, urlOfProcess } from '../../kit/database.ts';
import { freePort } from '../../kit/ports.ts';

/** Of users who never sign in by it. */
const nobodys = { hash: Buffer.alloc(32), salt: Buffer.alloc(16) };

export type Dashboard = Awaited<ReturnType<typeof startDashboard>>;

/**
 * @param unlimited whether sign-ins may be as many as a test needs
 * @param oidc sign-in by OpenID Connect, come back to this address
 */
export async function startDashboard({
  unlimited = false,
  oidc,
}: {
  unlimited?: boolean;
  oidc?: OidcSettings;
} = {}) {
  await using resources = new AsyncDisposableStack();
  const { url } = resources.use(await freshDatabase());
  const log = openLog('api', 'silent');
  const database = resources.use(
    openDatabase({ url: urlOfProcess(url, 'api'), applicationName: 'dashboard-test', max: 8, log }),
  );
  const owner = resources.use(openDatabase({ url, applicationName: 'test', max: 2 }));
  const stopping = new AbortController();
  const password = 'open sesame';
  const limit = unlimited ? async () => ({}) : rateLimiter(database);
  const handOver = resources.use(
    openHandOver({
      host: '127.0.0.1',
      port: await freePort(),
      user: 'postern',
      password: 'nobody listens there',
      sessions: 1,
      log,
    }),
  );
  const sending = openSending({
    database,
    handOver,
    from: { address: 'hello@example.com' },
    unsubscribe: await openUnsubscribe(database, 'https://postern.shop.test'),
    log,
  });
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const app = buildApp({
    operations: allOperations({
      database,
      sending,
      publicUrl: 'https://app.example.com',
      providerVariables: [],
    }),
    pages: [
      dashboardPages({
        ...{ database, password, limit, log, stopping: stopping.signal },
        oidc: oidc && { settings: oidc, publicUrl: base, refused: () => {}, oidcRoutes },
      }),
    ],
    database,
    authenticate: authenticator(database, 'bootstrap-key-of-the-tests'),
    limit,
    log,
  });
  resources.use(await listen(app, { port, bind: '127.0.0.1' }));
  resources.defer(() => stopping.abort());
  // Of its own, so that asking for a cookie does not count as a guess.
  const sessions = openSessions({ database, password, limit: async () => ({}) });
  /** The cookie of a new session of that user, who signs in without a guess. */
  async function cookieOf(userId: string | null): Promise<string> {
    let cookie = '';
    const append = (_name: string, value: string) => {
      if (value.startsWith('postern_session=')) cookie = value.split(';')[0] ?? '';
    };
    await sessions.begin({ get: () => undefined } as never, { append } as never, userId);
    return cookie;
  }
  const kept = resources.move();
  return {
    base,
    url,
    password,
    database,
    /** As the owner of the database: what other processes would have written. */
    query: owner.query,
    stop: () => stopping.abort(),
    /** The cookie of a new session: of whoever knows ADMIN_PASSWORD, or of a new user with that role. */
    async cookie(role?: Role): Promise<string> {
      const draft = role && { name: `${role}-${randomUUID()}`, role, password: nobodys };
      const user = draft && (await insertPerson(database, draft));
      return cookieOf(user?.id ?? null);
    },
    cookieOf,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
