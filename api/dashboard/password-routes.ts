// Changing one's own password.
import { Router } from 'express';
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { writeEntry } from '../audit/write.ts';
import { invalidFields } from '../faults.ts';
import { hashPassword, isPassword, shortestPassword } from '../people/password.ts';
import { endSessionsOf, findPasswordById, storePassword } from '../people/store.ts';
import { Problem } from '../problem.ts';
import type { RateLimit } from '../rate-limit.ts';
import { readInput } from './exchange.ts';
import type { Sessions } from './session.ts';
import { personIn } from './sign-in-routes.ts';

const guessesPerMinute = 10;

const change = z.strictObject({
  old: z.string().max(1_000),
  new: z
    .string()
    .min(shortestPassword, `must be at least ${shortestPassword} characters`)
    .max(1_000, 'must be at most 1000 characters'),
});

export function passwordRoutes({
  database,
  limit,
  sessions,
}: {
  database: Database;
  limit: RateLimit;
  sessions: Sessions;
}): Router {
  const router = Router();
  router.post('/dashboard/password', async (request, response) => {
    const given = readInput(request, 'body', change);
    const { id } = personIn(response);
    const stored = id === null ? undefined : await findPasswordById(database, id);
    if (id === null || !stored) {
      throw new Problem(
        'not-found',
        'There is no password here to change: it is ADMIN_PASSWORD, or that of the identity provider.',
      );
    }
    await limit(`password:${id}`, guessesPerMinute);
    if (!(await isPassword(given.old, stored)))
      throw invalidFields([{ in: 'body', pointer: '#/old', detail: 'is not your password' }]);
    const hashed = await hashPassword(given.new);
    const session = await sessions.idOf(request);
    await database.transaction(async (tx) => {
      await storePassword(tx, id, { ...hashed, isInitial: false });
      await endSessionsOf(tx, id, Buffer.from(session ?? '', 'hex'));
      await writeEntry(tx, {
        actor: { kind: 'person', id },
        act: 'change-own-password',
        object: { kind: 'person', id },
      });
    });
    response.status(204).end();
  });
  return router;
}
