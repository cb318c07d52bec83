// What the pages about mail of other applications ask for: what was handed in over SMTP, and what was refused there.
import { Router } from 'express';
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { listRefusals } from '../../relay/client/status/refusals.ts';
import { Problem } from '../problem.ts';
import { readInput, sendJson } from './exchange.ts';
import { listSubmitted, readSubmitted } from './submitted.ts';

const pageSize = 50;

export function submittedRoutes({ database }: { database: Database }): Router {
  const router = Router();
  router.get('/dashboard/submitted', async (request, response) => {
    const { after, key } = readInput(
      request,
      'query',
      z.strictObject({ after: z.string().max(40).optional(), key: z.uuid().optional() }),
    );
    sendJson(response, await listSubmitted(database, { limit: pageSize, after, keyId: key }));
  });
  router.get('/dashboard/refusals', async (_request, response) => {
    sendJson(response, { data: await listRefusals(database, pageSize) });
  });
  router.get('/dashboard/submitted/:id', async (request, response) => {
    const message = await readSubmitted(database, request.params.id);
    if (!message) throw new Problem('not-found', `Message ${request.params.id} not found.`);
    sendJson(response, message);
  });
  return router;
}
