// What the pages about mail of other applications ask for: what was handed in over SMTP, and what was refused there.
import { Router } from 'express';
import type { Database } from '../../deploy/database.ts';
import { openMessageSource } from '../../relay/client/email/source.ts';
import { listRefusals } from '../../relay/client/status/refusals.ts';
import { Problem } from '../problem.ts';
import { sendJson } from './exchange.ts';
import { sendSource } from './message.ts';
import { isSubmitted, readSubmitted } from './submitted.ts';

const pageSize = 50;

export function submittedRoutes({ database }: { database: Database }): Router {
  const router = Router();
  router.get('/dashboard/refusals', async (_request, response) => {
    sendJson(response, { data: await listRefusals(database, pageSize) });
  });
  router.get('/dashboard/submitted/:id', async (request, response) => {
    const message = await readSubmitted(database, request.params.id);
    if (!message) throw new Problem('not-found', `Message ${request.params.id} not found.`);
    sendJson(response, message);
  });
  router.get('/dashboard/submitted/:id/source', async (request, response) => {
    const source = (await isSubmitted(database, request.params.id))
      ? await openMessageSource(database, request.params.id)
      : undefined;
    if (!source) throw new Problem('not-found', 'The source of this email is no longer stored.');
    await sendSource(response, source);
  });
  return router;
}
