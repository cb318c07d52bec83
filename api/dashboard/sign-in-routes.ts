// Signing in and out, and what is only for whoever is signed in: every route of the dashboard that comes after these.
import express, { Router } from 'express';
import { z } from 'zod';
import type { Log } from '../../deploy/log.ts';
import { Problem } from '../problem.ts';
import { readInput, sendJson } from './exchange.ts';
import { refuseOtherOrigins } from './same-origin.ts';
import { administrator, type Sessions } from './session.ts';
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

  // A request to the API that brings no key but the cookie of a session is the administrator's.
  router.use('/api', async (request, response, next) => {
    if (request.get('authorization') === undefined && (await sessions.isSignedIn(request))) {
      refuseOtherOrigins(request);
      response.locals.principal = administrator;
    }
    next();
  });

  router.use('/dashboard', (request, _response, next) => {
    refuseOtherOrigins(request);
    next();
  });
  router.use('/dashboard', express.json({ limit: 16 * 1024 }));
  router.get('/dashboard/session', async (request, response) => {
    sendJson(response, { signed_in: await sessions.isSignedIn(request) });
  });
  router.post('/dashboard/sign-in', async (request, response) => {
    const body = readInput(request, 'body', z.strictObject({ password: z.string().max(1_000) }));
    await sessions.signIn(request, response, body.password);
    log.info({ event: 'dashboard-sign-in' }, 'Dashboard sign-in');
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
  return router;
}
