// What the page Scheduled asks for beside the API: the list with its search, and a client's form as a whole.
import { Router } from 'express';
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import type { Log } from '../../deploy/log.ts';
import { setEnabledWithin } from '../../relay/client/email-config/email-config.ts';
import { statuses } from '../../relay/client/vocabulary.ts';
import { namedPerson } from '../audit/actor.ts';
import { differenceOf, readState } from '../audit/state.ts';
import { writeEntry } from '../audit/write.ts';
import { id, line, toPage } from '../fields.ts';
import { actorOfPerson } from '../people/role.ts';
import { Problem } from '../problem.ts';
import { readInput, sendJson } from './exchange.ts';
import { findScheduled } from './scheduled.ts';
import { personIn } from './sign-in-routes.ts';

// As many as can be chosen and moved at once.
const pageSize = 100;

const listQuery = z.strictObject({
  status: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(statuses)).min(1)),
  text: z.string().max(300).optional(),
  after: id.optional(),
});

const switchBody = z.strictObject({ client_id: line(200), enabled: z.boolean() });

export function scheduledRoutes({ database, log }: { database: Database; log: Log }): Router {
  const router = Router();
  router.get('/dashboard/scheduled', async (request, response) => {
    const { status, text, after } = readInput(request, 'query', listQuery);
    const found = await findScheduled(database, { statuses: status, text, after }, pageSize + 1);
    sendJson(response, toPage(found, pageSize));
  });
  router.post('/dashboard/clients/switch', async (request, response) => {
    const { client_id: clientId, enabled } = readInput(request, 'body', switchBody);
    const person = personIn(response);
    const switched = await database.transaction(async (tx) => {
      const before = await readState(tx, 'form', clientId);
      const done = await setEnabledWithin(tx, clientId, enabled, actorOfPerson(person));
      if (done)
        await writeEntry(tx, {
          actor: namedPerson(person),
          act: enabled ? 'resume-client' : 'pause-client',
          object: { kind: 'form', id: clientId },
          ...differenceOf(before, await readState(tx, 'form', clientId)),
        });
      return done;
    });
    if (!switched) throw new Problem('not-found', `The client ${clientId} has no form.`);
    log.info(
      { event: 'dashboard-client-switched', enabled, ...switched },
      'Dashboard paused or resumed a client',
    );
    sendJson(response, switched);
  });
  return router;
}
