// What the overview and the diagnosis ask for: the state of everything, as it changes, and an examination by the doctor.
import { Router } from 'express';
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { probeLanesNow } from '../../relay/client/outbox/probe.ts';
import { namedPerson } from '../audit/actor.ts';
import { writeEntry } from '../audit/write.ts';
import type { RateLimit } from '../rate-limit.ts';
import { readAttention } from './attention.ts';
import { sendExamination } from './doctor.ts';
import { readInput, sendJson } from './exchange.ts';
import { readHistory } from './history.ts';
import { readMinutes } from './minutes.ts';
import type { Sessions } from './session.ts';
import { personIn } from './sign-in-routes.ts';
import type { Stream } from './stream.ts';

// Each may cost the credential an AUTH.
const examinationsPerMinute = 10;

export function overviewRoutes({
  database,
  limit,
  sessions,
  stream,
}: {
  database: Database;
  limit: RateLimit;
  sessions: Sessions;
  stream: Stream;
}): Router {
  const router = Router();
  router.get('/dashboard/stream', async (request, response) => {
    stream.open(response, (await sessions.idOf(request)) ?? '');
  });
  router.get('/dashboard/overview', async (_request, response) => {
    sendJson(response, await stream.overview());
  });
  router.get('/dashboard/minutes', async (request, response) => {
    const { hours } = readInput(
      request,
      'query',
      z.strictObject({ hours: z.coerce.number().int().min(1).max(168) }),
    );
    sendJson(response, await readMinutes(database, hours));
  });
  router.get('/dashboard/history', async (_request, response) => {
    sendJson(response, await readHistory(database));
  });
  router.get('/dashboard/attention', async (_request, response) => {
    sendJson(response, await readAttention(database));
  });
  // Whoever presses this wants to know now; how often a sign-in is repeated the relay decides.
  router.post('/dashboard/try-now', async (_request, response) => {
    const actor = namedPerson(personIn(response));
    const asked = await database.transaction(async (tx) => {
      await writeEntry(tx, { actor, act: 'try-now' });
      return probeLanesNow(tx);
    });
    sendJson(response, { asked });
  });
  router.post('/dashboard/doctor', async (_request, response) => {
    await limit('doctor', examinationsPerMinute);
    await sendExamination(database, response);
  });
  return router;
}
