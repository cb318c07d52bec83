// Signing in and out, and what is only for whoever is signed in: every route of the dashboard that comes after these.
import express, { type Response, Router } from 'express';
import { z } from 'zod';
import type { Log } from '../../deploy/log.ts';
import { permitPerson } from '../people/rights.ts';
import { administrator, type Person } from '../people/role.ts';
import { Problem } from '../problem.ts';
import type { RequestLocals } from '../request-log.ts';
import { readInput, sendJson } from './exchange.ts';
import { refuseOtherOrigins } from './same-origin.ts';
import { principalOf, type Sessions } from './session.ts';
import type { Stream } from './stream.ts';

export function signInRoutes({
  sessions,
  stream,
  log,
}: {
  sessions: Sessions;
  stream: Stream;
  log: Log;
}): Router {
  const router = Router();

  // A request to the API that brings no key but the cookie of a session is the person's.
  router.use('/api', async (request, response, next) => {
    const person = request.get('authorization') === undefined ? await sessions.personOf(request) : undefined;
    if (person) {
      refuseOtherOrigins(request);
      permitPerson(person, { method: request.method, path: request.baseUrl + request.path });
      response.locals.principal = principalOf(person);
    }
    next();
  });

  router.use('/dashboard', (request, _response, next) => {
    refuseOtherOrigins(request);
    next();
  });
  router.use('/dashboard', express.json({ limit: 16 * 1024 }));
  router.get('/dashboard/session', async (request, response) => {
    const person = await sessions.personOf(request);
    sendJson(response, { signed_in: person !== undefined, ...(person && { person: toShownPerson(person) }) });
  });
  router.post('/dashboard/sign-in', async (request, response) => {
    await sessions.signIn(request, response, readInput(request, 'body', credentials));
    log.info({ event: 'dashboard-sign-in' }, 'Dashboard sign-in');
    response.status(204).end();
  });
  router.post('/dashboard/sign-out', async (request, response) => {
    const session = await sessions.idOf(request);
    await sessions.signOut(request, response);
    if (session !== undefined) stream.end(session);
    response.status(204).end();
  });
  router.use('/dashboard', async (request, response, next) => {
    const person = await sessions.personOf(request);
    if (!person) throw new Problem('unauthenticated', 'Sign in to the dashboard first.');
    permitPerson(person, { method: request.method, path: request.baseUrl + request.path });
    response.locals.person = person;
    next();
  });
  return router;
}

const credentials = z.strictObject({ name: z.string().max(200).optional(), password: z.string().max(1_000) });

/** What the pages know of whoever is signed in. */
export const toShownPerson = ({ id, name, role, hasPassword, passwordIsInitial }: Person) => ({
  id,
  name,
  role,
  has_password: hasPassword,
  password_is_initial: passwordIsInitial,
});

/** Who is signed in, for the routes after these. */
export const personIn = ({ locals }: Response): Person => (locals as RequestLocals).person ?? nobody;

const nobody: Person = { ...administrator, name: 'nobody', role: 'view' };
