// What the pages about mail of other applications ask for: what was handed in over SMTP, how it looks, and what was refused
// there. Its parts are read from the stored message each time, as it streams by.
import { type Request, Router } from 'express';
import type { Database } from '../../deploy/database.ts';
import type { AttachedFile } from '../../relay/client/email/attachment.ts';
import { openMessageSource } from '../../relay/client/email/source.ts';
import {
  type MessageFile,
  type Picture,
  readContent,
  readFile,
  readPictures,
} from '../../relay/client/message/content.ts';
import { listRefusals } from '../../relay/client/status/refusals.ts';
import { Problem } from '../problem.ts';
import { readInput, sendJson } from './exchange.ts';
import {
  countRemote,
  isPicture,
  previewQuery,
  sendAttachment,
  sendIsolated,
  sendPicture,
  sendSource,
} from './message.ts';
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
  router.get('/dashboard/submitted/:id/content', async (request, response) => {
    const source = await findSource(request);
    if (!source) return sendJson(response, { is_kept: false });
    const { text, html, isCut, files, isMore } = await readContent(source);
    sendJson(response, {
      is_kept: true,
      text,
      html,
      is_cut: isCut,
      attachments: files.map(({ ordinal, filename, contentType, size }) => ({
        ordinal,
        filename,
        content_type: contentType,
        size,
      })),
      is_more: isMore,
      remote: countRemote(html),
    });
  });
  router.get('/dashboard/submitted/:id/preview', async (request, response) => {
    const { remote, dark } = readInput(request, 'query', previewQuery);
    const { html } = await readContent(await openSource(request));
    const shown = html ?? '';
    const wanted = new Set([...shown.matchAll(/\bcid:([^"'\s)>]+)/gi)].map(([, id = '']) => id));
    const pictures = wanted.size > 0 ? await readPictures(await openSource(request), wanted) : [];
    await sendIsolated(response, shown, pictures.map(inMemory), {
      remote: remote === '1',
      dark: dark === '1',
    });
  });
  router.get('/dashboard/submitted/:id/source', async (request, response) => {
    await sendSource(response, await openSource(request));
  });
  router.get('/dashboard/submitted/:id/attachments/:ordinal', async (request, response) => {
    await sendAttachment(response, await findFile(request));
  });
  router.get('/dashboard/submitted/:id/attachments/:ordinal/picture', async (request, response) => {
    const file = await findFile(request);
    if (!isPicture(file)) throw new Problem('not-found', 'Picture not found.');
    await sendPicture(response, file);
  });
  return router;

  async function findSource(request: Request<{ id: string }>) {
    const { id } = request.params;
    return (await isSubmitted(database, id)) ? openMessageSource(database, id) : undefined;
  }

  async function openSource(request: Request<{ id: string }>) {
    const source = await findSource(request);
    if (!source) throw new Problem('not-found', 'The source of this email is no longer stored.');
    return source;
  }

  /** Read twice: its size has to be known before its first octet is sent. */
  async function findFile(request: Request<{ id: string; ordinal: string }>): Promise<AttachedFile> {
    const ordinal = Number(request.params.ordinal);
    const { files } = await readContent(await openSource(request));
    const file = files.find((each) => each.ordinal === ordinal);
    if (!file) throw new Problem('not-found', 'Attachment not found.');
    return attached(file, async function* () {
      yield* readFile(await openSource(request), ordinal);
    });
  }
}

const attached = (file: MessageFile, pieces: () => AsyncGenerator<Buffer>): AttachedFile => ({
  filename: file.filename,
  contentType: file.contentType,
  contentId: file.contentId,
  size: file.size,
  pieces,
});

const inMemory = (picture: Picture) =>
  attached(picture, async function* () {
    yield picture.content;
  });
