// The dashboard: the pages at /, and what they ask for under /dashboard. Everything that the API can do already, the
// pages do through the API itself, with the session in place of a key.
import express, { type Request, type RequestHandler, type Response, Router } from 'express';
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import type { Log } from '../../deploy/log.ts';
import { every } from '../../deploy/repeat.ts';
import { readAttachments } from '../../relay/client/email/attachment.ts';
import { readDeliveries } from '../../relay/client/email/delivery.ts';
import { readEmail } from '../../relay/client/email/row.ts';
import { readTimeline } from '../../relay/client/email/timeline.ts';
import { readCauses } from '../../relay/client/status/causes.ts';
import { listRefusals } from '../../relay/client/status/refusals.ts';
import { statuses } from '../../relay/client/vocabulary.ts';
import { readWaitingFor } from '../diagnosis/waiting-for.ts';
import { emailKinds, toEmailView, toEventView } from '../emails/email.ts';
import { shownEmail } from '../emails/invitation-link.ts';
import { noSuchEmail } from '../emails/owner.ts';
import { readParts } from '../faults.ts';
import { id, toPage } from '../fields.ts';
import { sendPage } from '../pages/page.ts';
import { Problem } from '../problem.ts';
import type { RateLimit } from '../rate-limit.ts';
import type { CountRefused } from '../sign-in-measures.ts';
import { act, acts } from './act.ts';
import { openAssets } from './assets.ts';
import { sendExamination } from './doctor.ts';
import { countRemote, listAttachments, readSource, sendAttachment, sendPreview } from './message.ts';
import { countMinutes, readMinutes } from './minutes.ts';
import { countEmails, findEmails, findIds, writeDocuments } from './search.ts';
import { administrator, openSessions, refuseStrangers } from './session.ts';
import { openStream } from './stream.ts';
import { listSubmitted, readSubmitted } from './submitted.ts';

const documents = [
  '/',
  '/emails',
  '/emails/:id',
  '/submitted',
  '/submitted/:id',
  '/scheduled',
  '/customers',
  '/applications',
  '/diagnosis',
  '/keys',
];

const pageSize = 50;
// Each is a transaction of its own; this many take well under a second and leave the person able to stop.
const actedOnAtOnce = 100;
const writesEveryMs = 5_000;
// Each may cost the credential an AUTH.
const examinationsPerMinute = 10;

type Ground = {
  readonly database: Database;
  /** ADMIN_PASSWORD; without it there is no dashboard, only a page that says so. */
  readonly password: string | undefined;
  readonly limit: RateLimit;
  readonly log: Log;
  readonly stopping: AbortSignal;
  /** Told of every sign-in that was refused. */
  readonly refused?: CountRefused;
};

export function dashboardPages(ground: Ground): RequestHandler {
  const { password } = ground;
  return password === undefined ? switchedOff() : switchedOn({ ...ground, password });
}

function switchedOff(): Router {
  const router = Router();
  router.get('/', (_request, response) => {
    sendPage(response, {
      title: 'Postern',
      body:
        '<h1>Postern is running</h1><p>Its dashboard is off, because nobody could sign in: set <code>ADMIN_PASSWORD</code> ' +
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
}: Ground & { password: string }): Router {
  const sessions = openSessions({ database, password, limit, refused });
  const stream = openStream({ database, log, stopping, lasting: sessions.lasting });
  const assets = openAssets();
  keepWriting(database, log, stopping);

  const router = Router();
  router.use(assets.serve);
  router.get(documents, (_request, response) => assets.sendDocument(response));

  // A request to the API that brings no key but the cookie of a session is the administrator's.
  router.use('/api', async (request, response, next) => {
    if (request.get('authorization') === undefined && (await sessions.isSignedIn(request))) {
      refuseStrangers(request);
      response.locals.principal = administrator;
    }
    next();
  });

  router.use('/dashboard', (request, _response, next) => {
    refuseStrangers(request);
    next();
  });
  router.use('/dashboard', express.json({ limit: 16 * 1024 }));
  router.get('/dashboard/session', async (request, response) => {
    sendJson(response, { signed_in: await sessions.isSignedIn(request) });
  });
  router.post('/dashboard/sign-in', async (request, response) => {
    const body = read(request, 'body', z.strictObject({ password: z.string().max(1_000) }));
    await sessions.signIn(request, response, body.password);
    log.info({ event: 'dashboard-sign-in' }, 'Somebody signed in to the dashboard');
    response.status(204).end();
  });
  router.post('/dashboard/sign-out', async (request, response) => {
    const session = await sessions.idOf(request);
    await sessions.signOut(request, response);
    if (session !== undefined) stream.end(session);
    response.status(204).end();
  });
  router.use('/dashboard', async (request, _response, next) => {
    if (await sessions.isSignedIn(request)) return next();
    throw new Problem('unauthenticated', 'Sign in to the dashboard first.');
  });

  router.get('/dashboard/stream', async (request, response) => {
    stream.open(response, (await sessions.idOf(request)) ?? '');
  });
  router.get('/dashboard/overview', async (_request, response) => {
    sendJson(response, await stream.overview());
  });
  router.get('/dashboard/minutes', async (request, response) => {
    const { hours } = read(
      request,
      'query',
      z.strictObject({ hours: z.coerce.number().int().min(1).max(168) }),
    );
    sendJson(response, await readMinutes(database, hours));
  });

  router.get('/dashboard/emails', async (request, response) => {
    const { after, ...search } = read(request, 'query', listQuery);
    await catchUp(database, log);
    const found = await findEmails(database, search, { limit: pageSize + 1, after });
    const causes = await readCauses(
      database,
      found.map(({ reason }) => reason),
    );
    sendJson(response, { ...toPage(found, pageSize), causes });
  });
  router.get('/dashboard/emails/count', async (request, response) => {
    const { after: _, ...search } = read(request, 'query', listQuery);
    await catchUp(database, log);
    const [{ count, countedUpTo }, [newest]] = await Promise.all([
      countEmails(database, search),
      findIds(database, search, { limit: 1 }),
    ]);
    sendJson(response, { count, counted_up_to: countedUpTo, newest: newest ?? null });
  });
  router.post('/dashboard/emails/act', async (request, response) => {
    const body = read(request, 'body', actBody);
    const ids = body.ids ?? (await idsUpTo(body.search, body.newest, body.after));
    const results = [];
    for (const each of ids) results.push({ id: each, ...(await act(database, each, body.act)) });
    const done = results.filter(({ outcome }) => outcome === 'done').length;
    log.info({ event: 'dashboard-act', act: body.act, asked: ids.length, done }, 'Somebody acted on mail');
    sendJson(response, {
      results,
      next: body.ids === undefined && ids.length === actedOnAtOnce ? (ids.at(-1) ?? null) : null,
    });
  });

  /** What the search finds, without mail that arrived after the person had confirmed the number. */
  async function idsUpTo(search: z.output<typeof searchFields>, newest: string, after: string | undefined) {
    const ids = await findIds(database, search, { limit: actedOnAtOnce, after });
    return ids.filter((each) => each <= newest);
  }

  router.get('/dashboard/emails/:id', async (request, response) => {
    const email = await findEmail(request);
    const [deliveries, events, attachments] = await Promise.all([
      readDeliveries(database, email.id),
      readTimeline(database, email.id),
      listAttachments(database, email.id),
    ]);
    const named = [email.reason, ...events.map(({ detail }) => detail.cause)];
    sendJson(response, {
      email: toEmailView(email, deliveries, {
        showsContent: true,
        waitingFor: await readWaitingFor(database, email.status),
      }),
      events: events.map(toEventView),
      attachments,
      remote: countRemote(email.html),
      causes: await readCauses(database, named),
    });
  });
  router.get('/dashboard/emails/:id/preview', async (request, response) => {
    await sendPreview(database, response, shownEmail(await findEmail(request)));
  });
  router.get('/dashboard/emails/:id/source', async (request, response) => {
    const source = await readSource(database, await findEmail(request));
    if (!source) throw new Problem('not-found', 'The source of this mail is not kept any more.');
    sendText(response, source);
  });
  router.get('/dashboard/emails/:id/attachments/:ordinal', async (request, response) => {
    const email = await findEmail(request);
    const attachment = (await readAttachments(database, email.id))[Number(request.params.ordinal)];
    if (!attachment) throw new Problem('not-found', 'There is no such attachment.');
    sendAttachment(response, attachment);
  });

  router.post('/dashboard/doctor', async (_request, response) => {
    await limit('doctor', examinationsPerMinute);
    await sendExamination(database, response);
  });

  router.get('/dashboard/submitted', async (request, response) => {
    const { after } = read(request, 'query', z.strictObject({ after: z.string().max(40).optional() }));
    sendJson(response, await listSubmitted(database, { limit: pageSize, after }));
  });
  router.get('/dashboard/refusals', async (_request, response) => {
    sendJson(response, { data: await listRefusals(database, pageSize) });
  });
  router.get('/dashboard/submitted/:id', async (request, response) => {
    const message = await readSubmitted(database, request.params.id);
    if (!message) throw new Problem('not-found', `There is no message ${request.params.id}.`);
    sendJson(response, message);
  });

  async function findEmail(request: Request<{ id: string }>) {
    const email = id.safeParse(request.params.id).success && (await readEmail(database, request.params.id));
    if (!email) throw noSuchEmail(request.params.id);
    return email;
  }

  return router;
}

const searchShape = {
  text: z.string().max(300).optional(),
  statuses: z
    .string()
    .transform((text) => text.split(',').filter((word) => word !== ''))
    .pipe(z.array(z.enum(statuses)))
    .optional(),
  kind: z.enum(emailKinds).optional(),
};
const searchFields = z.strictObject(searchShape);
const listQuery = z.strictObject({ ...searchShape, after: z.uuid().optional() });

const actBody = z.union([
  z.strictObject({ act: z.enum(acts), ids: z.array(id).min(1).max(actedOnAtOnce) }).transform((body) => ({
    ...body,
    search: {},
    newest: '',
    after: undefined,
  })),
  z
    .strictObject({ act: z.enum(acts), search: searchFields, newest: id, after: id.optional() })
    .transform((body) => ({ ...body, ids: undefined, after: body.after })),
]);

function read<Schema extends z.ZodType>(
  request: Request,
  place: 'query' | 'body',
  schema: Schema,
): z.output<Schema> {
  const value: unknown = place === 'query' ? { ...request.query } : (request.body ?? {});
  return readParts([{ in: place, schema, value }])[0] as z.output<Schema>;
}

function sendJson(response: Response, body: unknown): void {
  response.set('cache-control', 'no-store').json(body);
}

function sendText(response: Response, body: Buffer): void {
  response
    .set({
      'content-type': 'text/plain; charset=utf-8',
      'content-security-policy': "default-src 'none'; sandbox",
      'cache-control': 'private, no-store',
    })
    .end(body);
}

/** Writes what the dashboard looks at, behind the mail, for as long as this process runs. */
function keepWriting(database: Database, log: Log, stopping: AbortSignal): void {
  const write = async () => {
    try {
      await countMinutes(database);
      while (!stopping.aborted && (await writeDocuments(database)) > 0);
    } catch (error) {
      // The database is away, or stopping; the next time does what this one did not.
      log.debug({ err: error }, 'The dashboard could not write what it looks at');
    }
  };
  const writing = every(writesEveryMs, write, { first: 'after a pause' });
  stopping.addEventListener('abort', () => void writing.stop());
}

/** So that a search finds the mail of a second ago. */
async function catchUp(database: Database, log: Log): Promise<void> {
  await writeDocuments(database).catch((error) =>
    log.debug({ err: error }, 'New mail is not searchable yet'),
  );
}
