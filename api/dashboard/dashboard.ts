// The dashboard: the pages at /, and what they ask for under /dashboard. Everything that the API can do already, the
// pages do through the API itself, with the session in place of a key.
import { type RequestHandler, Router } from 'express';
import type { Database } from '../../deploy/database.ts';
import type { Log } from '../../deploy/log.ts';
import type { OidcSettings } from '../../deploy/oidc.ts';
import { every, type Repeating } from '../../deploy/repeat.ts';
import { sendPage } from '../pages/page.ts';
import type { OidcRoutes } from '../people/oidc/routes.ts';
import type { RateLimit } from '../rate-limit.ts';
import type { CountRefused } from '../sign-in-measures.ts';
import { openAssets } from './assets.ts';
import { emailListRoutes } from './email-list-routes.ts';
import { emailRoutes } from './email-routes.ts';
import { countHistory } from './history.ts';
import { leaveRoutes } from './links.ts';
import { countMinutes } from './minutes.ts';
import { overviewRoutes } from './overview-routes.ts';

import { passwordRoutes } from './password-routes.ts';

import { scheduledRoutes } from './scheduled-routes.ts';

import { writeDocuments } from './search-documents.ts';
import { openSessions } from './session.ts';
import { signInRoutes, toShownPerson } from './sign-in-routes.ts';
import { openStream } from './stream.ts';
import { submittedRoutes } from './submitted-routes.ts';

const documents = [
  '/',
  '/emails',
  '/emails/:id',
  '/submitted',
  '/submitted/:id',
  '/refusals',
  '/scheduled',
  '/scheduled/:client',
  '/customers',
  '/customers/:id',
  '/applications',
  '/diagnosis',
  '/keys',
  '/webhooks',
  '/webhooks/:id',
  '/suppressions',
  '/people',
  '/audit',
];

const writesEveryMs = 5_000;
// While there is nothing to write and nobody looks.
const writesAtRestMs = 60_000;
// Minutes are counted when they are over; asking more often finds nothing.
const countsEveryMs = 60_000;

type Oidc = {
  readonly settings: OidcSettings;
  readonly publicUrl: string;
  readonly refused: CountRefused;
  /** Loaded only where they are used. */
  readonly oidcRoutes: OidcRoutes;
};

type DashboardOptions = {
  readonly database: Database;
  /** ADMIN_PASSWORD; without it there is no dashboard, only a page that says so. */
  readonly password: string | undefined;
  readonly limit: RateLimit;
  readonly log: Log;
  readonly stopping: AbortSignal;
  /** Told of every sign-in that was refused. */
  readonly refused?: CountRefused;
  /** Sign-in by OpenID Connect, where it is set up. */
  readonly oidc?: Oidc | undefined;
};

export function dashboardPages(options: DashboardOptions): RequestHandler {
  const { database, log, stopping, password } = options;
  // Also without a dashboard: the API finds mail by its address through them.
  const writing = keepWriting(database, log, stopping);
  const router = Router();
  router.use((_request, _response, next) => {
    writing.within(writesEveryMs);
    next();
  });
  return router.use(password === undefined ? switchedOff() : switchedOn({ ...options, password }));
}

function switchedOff(): Router {
  const router = Router();
  router.get('/', (_request, response) => {
    sendPage(response, {
      title: 'Postern',
      body:
        '<h1>Postern is running</h1><p>The dashboard is off, because <code>ADMIN_PASSWORD</code> is not set. Set it ' +
        'for the api and restart it.</p><p><a href="/docs/api">The API</a></p>',
    });
  });
  return router;
}

function switchedOn({
  database,
  password,
  limit,
  log,
  stopping,
  refused,
  oidc,
}: DashboardOptions & { password: string }): Router {
  const sessions = openSessions({ database, password, limit, refused });
  const stream = openStream({ database, log, stopping, validOf: sessions.validOf });
  const assets = openAssets();

  const router = Router();
  router.use(assets.serve);
  router.use(leaveRoutes());
  if (oidc) router.use(oidc.oidcRoutes({ ...oidc, database, sessions, limit, log }));
  router.get(documents, async (request, response) => {
    // Told with the document, so that the page need not ask first; without the database it asks.
    const person = await sessions.personOf(request).then(
      (known) => known ?? 'nobody',
      () => undefined,
    );
    assets.sendDocument(response, {
      person: person && (person === 'nobody' ? null : toShownPerson(person)),
      hasOidc: oidc !== undefined,
    });
  });
  // The others come after these, which refuse whoever is not signed in.
  router.use(signInRoutes({ sessions, stream, log }));
  router.use(passwordRoutes({ database, limit, sessions }));
  router.use(overviewRoutes({ database, limit, sessions, stream }));
  router.use(emailListRoutes({ database, log }));
  router.use(emailRoutes({ database }));
  router.use(submittedRoutes({ database }));
  router.use(scheduledRoutes({ database, log }));
  return router;
}

/** Writes what searches look at, behind the mail, for as long as this process runs. */
function keepWriting(database: Database, log: Log, stopping: AbortSignal): Repeating {
  let isAtRest = false;
  let countedAt = Number.NEGATIVE_INFINITY;
  const write = async () => {
    try {
      await countMinutes(database);
      if (performance.now() - countedAt >= countsEveryMs) {
        countedAt = performance.now();
        await countHistory(database);
      }
      let written = await writeDocuments(database);
      isAtRest = written === 0;
      while (!stopping.aborted && written > 0) written = await writeDocuments(database);
    } catch (error) {
      // The database is unavailable, or stopping; the next time does what this one did not.
      log.debug({ err: error }, 'Dashboard statistics and search index could not be updated');
    }
  };
  const writing = every(() => (isAtRest ? writesAtRestMs : writesEveryMs), write, {
    first: 'after a pause',
  });
  stopping.addEventListener('abort', () => void writing.stop());
  return writing;
}
