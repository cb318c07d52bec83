// What the list of emails asks for: searching, counting, and acting on many at once.
import { Router } from 'express';
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import type { Log } from '../../deploy/log.ts';
import { readCauses } from '../../relay/client/status/causes.ts';
import { statuses } from '../../relay/client/vocabulary.ts';
import { emailKinds } from '../emails/email.ts';
import { id, toPage } from '../fields.ts';
import { act, acts } from './act.ts';
import { readInput, sendJson } from './exchange.ts';
import { countEmails, findEmails, findIds } from './search.ts';
import { writeDocuments } from './search-documents.ts';

const pageSize = 50;
// Each is a transaction of its own; this many take well under a second and leave the person able to stop.
const actedOnAtOnce = 100;

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

const causesQuery = z.strictObject({
  named: z
    .string()
    .max(4_000)
    .transform((text) => text.split(',')),
});

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

export function emailListRoutes({ database, log }: { database: Database; log: Log }): Router {
  const router = Router();
  router.get('/dashboard/emails', async (request, response) => {
    const { after, ...search } = readInput(request, 'query', listQuery);
    await catchUp(database, log);
    const found = await findEmails(database, search, { limit: pageSize + 1, after });
    const causes = await readCauses(
      database,
      found.map(({ reason }) => reason),
    );
    sendJson(response, { ...toPage(found, pageSize), causes });
  });
  router.get('/dashboard/causes', async (request, response) => {
    const { named } = readInput(request, 'query', causesQuery);
    sendJson(response, { causes: await readCauses(database, named) });
  });
  router.get('/dashboard/emails/count', async (request, response) => {
    const { after: _, ...search } = readInput(request, 'query', listQuery);
    await catchUp(database, log);
    const [{ count, countedUpTo }, [newest]] = await Promise.all([
      countEmails(database, search),
      findIds(database, search, { limit: 1 }),
    ]);
    sendJson(response, { count, counted_up_to: countedUpTo, newest: newest ?? null });
  });
  router.post('/dashboard/emails/act', async (request, response) => {
    const body = readInput(request, 'body', actBody);
    const ids = body.ids ?? (await idsUpTo(body.search, body.newest, body.after));
    const results = [];
    for (const each of ids) results.push({ id: each, ...(await act(database, each, body.act)) });
    const done = results.filter(({ outcome }) => outcome === 'done').length;
    log.info(
      { event: 'dashboard-act', act: body.act, asked: ids.length, done },
      'Dashboard action on emails',
    );
    sendJson(response, {
      results,
      next: body.ids === undefined && ids.length === actedOnAtOnce ? (ids.at(-1) ?? null) : null,
    });
  });
  return router;

  /** What the search finds, without mail that arrived after the person had confirmed the number. */
  async function idsUpTo(search: z.output<typeof searchFields>, newest: string, after: string | undefined) {
    const ids = await findIds(database, search, { limit: actedOnAtOnce, after });
    return ids.filter((each) => each <= newest);
  }
}

/** So that a search finds the mail of a second ago. */
async function catchUp(database: Database, log: Log): Promise<void> {
  await writeDocuments(database).catch((error) =>
    log.debug({ err: error }, 'Dashboard search index could not be updated'),
  );
}
