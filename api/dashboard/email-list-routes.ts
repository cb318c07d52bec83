// What the list of mail asks for: searching, counting, a file of what matches, and acting on many at once.
import { type Response, Router } from 'express';
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import type { Log } from '../../deploy/log.ts';
import { readCauses } from '../../relay/client/status/causes.ts';
import { statuses } from '../../relay/client/vocabulary.ts';
import { emailKinds } from '../emails/email.ts';
import { id, toPage } from '../fields.ts';
import { seesContent } from '../people/role.ts';
import { stream } from '../tags.ts';
import { act, acts } from './act.ts';
import { readInput, sendJson } from './exchange.ts';
import { countMail, findMail, findMailIds } from './mail-list.ts';
import { mostRows, sendTable } from './mail-table.ts';
import { inOrder, isEmailId, isQueueId } from './place.ts';
import type { MailSearch } from './search.ts';
import { writeDocuments } from './search-documents.ts';
import { personIn } from './sign-in-routes.ts';

const pageSize = 50;
// Each is a transaction of its own; this many take well under a second and leave the person able to stop.
const actedOnAtOnce = 100;

const mailId = z.string().refine((given) => isEmailId(given) || isQueueId(given), 'must be the id of a mail');
const instant = z.iso.datetime({ offset: true }).transform((text) => new Date(text));

const searchShape = {
  text: z.string().max(300).optional(),
  statuses: z
    .string()
    .transform((text) => text.split(',').filter((word) => word !== ''))
    .pipe(z.array(z.enum(statuses)))
    .optional(),
  kind: z.enum(emailKinds).optional(),
  source: z.enum(['api', 'smtp']).optional(),
  tag: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,256}:[A-Za-z0-9_-]{1,256}$/, 'must be name:value')
    .transform((text) => ({ name: text.split(':')[0] ?? '', value: text.split(':')[1] ?? '' }))
    .optional(),
  stream: stream.optional(),
  key: z.string().min(1).max(200).optional(),
  customer: id.optional(),
  client: z.string().min(1).max(200).optional(),
  cause: z
    .string()
    .regex(/^[a-z0-9-]{1,100}$/, 'must be a cause')
    .optional(),
  from: instant.optional(),
  before: instant.optional(),
};
const searchFields = z.strictObject(searchShape);
const listQuery = z.strictObject({ ...searchShape, after: mailId.optional() });

const causesQuery = z.strictObject({
  named: z
    .string()
    .max(4_000)
    .transform((text) => text.split(',')),
});

const actBody = z.union([
  z
    .strictObject({ act: z.enum(acts), ids: z.array(mailId).min(1).max(actedOnAtOnce) })
    .transform((body) => ({ ...body, search: {}, newest: '', after: undefined })),
  z
    .strictObject({ act: z.enum(acts), search: searchFields, newest: mailId, after: mailId.optional() })
    .transform((body) => ({ ...body, ids: undefined, after: body.after })),
]);

export function emailListRoutes({ database, log }: { database: Database; log: Log }): Router {
  const router = Router();
  router.get('/dashboard/emails', async (request, response) => {
    const { after, ...asked } = readInput(request, 'query', listQuery);
    const search = searchOf(response, asked);
    await catchUp(database, log);
    const found = await findMail(database, search, { limit: pageSize + 1, after });
    const causes = await readCauses(
      database,
      found.map(({ reason }) => reason),
    );
    sendJson(response, { ...toPage(found, pageSize), causes });
  });
  router.get('/dashboard/emails.csv', async (request, response) => {
    await sendFound(response, readInput(request, 'query', searchFields));
  });
  router.get('/dashboard/causes', async (request, response) => {
    const { named } = readInput(request, 'query', causesQuery);
    sendJson(response, { causes: await readCauses(database, named) });
  });
  router.get('/dashboard/emails/count', async (request, response) => {
    const { after: _, ...asked } = readInput(request, 'query', listQuery);
    const search = searchOf(response, asked);
    await catchUp(database, log);
    const [{ count, countedUpTo }, [newest]] = await Promise.all([
      countMail(database, search),
      findMailIds(database, search, { limit: 1 }),
    ]);
    sendJson(response, { count, counted_up_to: countedUpTo, newest: newest ?? null, most_rows: mostRows });
  });
  router.post('/dashboard/emails/act', async (request, response) => {
    const body = readInput(request, 'body', actBody);
    const ids = body.ids ?? (await idsUpTo(body.search, body.newest, body.after));
    const results = [];
    const person = personIn(response);
    for (const each of ids) results.push({ id: each, ...(await act(database, each, body.act, person)) });
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
  async function idsUpTo(search: MailSearch, newest: string, after: string | undefined) {
    const ids = await findMailIds(database, search, { limit: actedOnAtOnce, after });
    return ids.filter((each) => inOrder(newest, each) <= 0);
  }

  async function sendFound(response: Response, search: MailSearch) {
    await catchUp(database, log);
    await sendTable(response, database, (edge) => findMail(database, search, edge));
  }
}

/** A search must not be a way to guess words that the person may not read. */
const searchOf = (response: Response, asked: MailSearch): MailSearch => ({
  ...asked,
  readsBodies: seesContent(personIn(response)),
});

/** So that a search finds the mail of a second ago. */
async function catchUp(database: Database, log: Log): Promise<void> {
  await writeDocuments(database).catch((error) =>
    log.debug({ err: error }, 'Dashboard search index could not be updated'),
  );
}
