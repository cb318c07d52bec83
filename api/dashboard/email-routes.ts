// What the page of one email asks for: everything about it, how it looks, its source and its attachments.
import { type Request, Router } from 'express';
import type { Database } from '../../deploy/database.ts';
import { openAttachments } from '../../relay/client/email/attachment.ts';
import { readDeliveries } from '../../relay/client/email/delivery.ts';
import { readEmail } from '../../relay/client/email/row.ts';
import { readSentAgain } from '../../relay/client/email/send-again.ts';
import { readTimeline } from '../../relay/client/email/timeline.ts';
import { readCauses } from '../../relay/client/status/causes.ts';
import { readHeardOfEmail } from '../../relay/client/webhook/delivery.ts';
import { readWaitingFor } from '../diagnosis/waiting-for.ts';
import { toEmailView, toEventView } from '../emails/email.ts';
import { shownEmail } from '../emails/invitation-link.ts';
import { noSuchEmail } from '../emails/owner.ts';
import { id } from '../fields.ts';
import { seesContent } from '../people/role.ts';
import { Problem } from '../problem.ts';
import { readInput, sendJson } from './exchange.ts';
import {
  countRemote,
  isPicture,
  listAttachments,
  openSource,
  previewQuery,
  sendAttachment,
  sendPicture,
  sendPreview,
  sendSource,
} from './message.ts';
import { personIn } from './sign-in-routes.ts';

export function emailRoutes({ database }: { database: Database }): Router {
  const router = Router();
  router.get('/dashboard/emails/:id', async (request, response) => {
    const email = await findEmail(request);
    const showsContent = seesContent(personIn(response));
    const [deliveries, events, attachments, heard, sentAgain] = await Promise.all([
      readDeliveries(database, email.id),
      readTimeline(database, email.id),
      listAttachments(database, email.id),
      readHeardOfEmail(database, email.id),
      readSentAgain(database, email.id),
    ]);
    const named = [email.reason, ...events.map(({ detail }) => detail.cause)];
    sendJson(response, {
      email: toEmailView(email, deliveries, {
        showsContent,
        waitingFor: await readWaitingFor(database, email.status),
      }),
      events: events.map(toEventView),
      attachments: showsContent ? attachments : [],
      heard,
      sent_again: sentAgain,
      remote: countRemote(email.html),
      causes: await readCauses(database, named),
    });
  });
  router.get('/dashboard/emails/:id/preview', async (request, response) => {
    const { remote, dark } = readInput(request, 'query', previewQuery);
    await sendPreview(database, response, shownEmail(await findEmail(request)), {
      remote: remote === '1',
      dark: dark === '1',
    });
  });
  router.get('/dashboard/emails/:id/source', async (request, response) => {
    const source = await openSource(database, await findEmail(request));
    if (!source) throw new Problem('not-found', 'The source of this email is no longer stored.');
    await sendSource(response, source);
  });
  router.get('/dashboard/emails/:id/attachments/:ordinal', async (request, response) => {
    const email = await findEmail(request);
    const attachment = (await openAttachments(database, email.id))[Number(request.params.ordinal)];
    if (!attachment) throw new Problem('not-found', 'Attachment not found.');
    await sendAttachment(response, attachment);
  });
  router.get('/dashboard/emails/:id/attachments/:ordinal/picture', async (request, response) => {
    const email = await findEmail(request);
    const attachment = (await openAttachments(database, email.id))[Number(request.params.ordinal)];
    if (!attachment || !isPicture(attachment)) throw new Problem('not-found', 'Picture not found.');
    await sendPicture(response, attachment);
  });
  return router;

  async function findEmail(request: Request<{ id: string }>) {
    const email = id.safeParse(request.params.id).success && (await readEmail(database, request.params.id));
    if (!email) throw noSuchEmail(request.params.id);
    return email;
  }
}
