// Where a link for one-click unsubscription leads (RFC 8058). Opening it changes nothing, whoever opens it: programs that
// look at links do so with GET and HEAD. Only POST acts, of a mail program or of the page's button; there is no cookie, and
// no script.
import express, { type Request, type RequestHandler, type Response, Router } from 'express';
import { type Database, isUnavailable } from '../../deploy/database.ts';
import type { Log } from '../../deploy/log.ts';
import { addSuppression } from '../../relay/client/suppression/suppression.ts';
import { networkOf } from '../network.ts';
import { sendPage } from '../pages/page.ts';
import { Problem } from '../problem.ts';
import type { RateLimit } from '../rate-limit.ts';
import { escapeHtml } from '../templates/render.ts';
import { proofPath } from './public-door.ts';
import type { Unsubscription } from './token.ts';
import type { Unsubscribe } from './unsubscribe.ts';

/** Of one network: a large mailbox provider posts for many of its customers. */
const perMinute = 600;
const mostBytes = 8_192;

type Given = { database: Database; unsubscribe: Unsubscribe; limit: RateLimit; log: Log };

export function unsubscribePages({ database, unsubscribe, limit, log }: Given): Router {
  const router = Router();
  // Without the database, so that it answers while every connection waits for this answer (public-door.ts).
  router.get(`${proofPath}/:question`, (request, response, next) => {
    const { question } = request.params;
    if (!/^[0-9a-f]{32}$/.test(question)) return next();
    response
      .set({ 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' })
      .end(unsubscribe.prove(question));
  });

  const withToken =
    (answer: (request: Request, response: Response, what: Unsubscription) => unknown): RequestHandler =>
    async (request, response) => {
      response.set({ 'cache-control': 'no-store', 'x-robots-tag': 'noindex' });
      try {
        await limit(`unsubscribe:${networkOf(request.ip ?? '')}`, perMinute);
        const what = unsubscribe.read(String(request.params.token));
        // One answer for all: whether a link was changed, is of another database or never was is nobody's business.
        if (!what)
          return say(response, 404, 'This link is not valid', 'Please open the link from the email again.');
        await answer(request, response, what);
      } catch (error) {
        sayWhyNot(response, error);
      }
    };

  const path = '/unsubscribe/:token';
  router.get(
    path,
    withToken((_request, response, what) => ask(response, what)),
  );
  router.post(
    path,
    express.raw({ type: () => true, limit: mostBytes, inflate: false }),
    withToken(async (request, response, what) => {
      if (!(await asksForOneClick(request))) return ask(response, what, 400);
      const { address, stream, emailId } = what;
      await database.transaction((tx) =>
        addSuppression(tx, { address, stream, reason: 'unsubscribe', sourceEmailId: emailId }),
      );
      log.info({ event: 'unsubscribed', emailId, stream }, 'A recipient unsubscribed');
      say(response, 200, 'You are unsubscribed', `${address} gets no more emails of the kind "${stream}".`);
    }),
  );
  router.all(path, () => {
    throw new Problem('method-not-allowed', 'Allowed: GET, HEAD, POST.', {
      headers: { allow: 'GET, HEAD, POST' },
    });
  });
  return router;
}

/** RFC 8058 section 3.2: multipart/form-data, or application/x-www-form-urlencoded. */
async function asksForOneClick(request: Request): Promise<boolean> {
  const body: unknown = request.body;
  if (!Buffer.isBuffer(body)) return false;
  const type = request.get('content-type') ?? '';
  const fields = /^multipart\/form-data\b/i.test(type)
    ? await new globalThis.Response(new Uint8Array(body), { headers: { 'content-type': type } })
        .formData()
        .catch(() => undefined)
    : new URLSearchParams(body.toString('utf8').trim());
  return fields?.get('List-Unsubscribe') === 'One-Click';
}

function ask(response: Response, { address, stream }: Unsubscription, status = 200): void {
  sendPage(response, {
    status,
    title: 'Unsubscribe',
    hasForm: true,
    body: `<h1>Unsubscribe</h1>
<p>No more emails of the kind "${escapeHtml(stream)}" to ${escapeHtml(address)}?</p>
<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click"><p><button>Unsubscribe</button></p></form>
<p class="soft">Nothing has changed yet. Other emails, such as those about your account, go on.</p>`,
  });
}

function say(response: Response, status: number, title: string, text: string): void {
  sendPage(response, { status, title, body: `<h1>${escapeHtml(title)}</h1><p>${escapeHtml(text)}</p>` });
}

function sayWhyNot(response: Response, error: unknown): void {
  if (error instanceof Problem && error.type === 'rate-limited') {
    response.set(error.headers);
    say(response, 429, 'Too many requests', 'Please try again in a minute.');
  } else {
    if (!isUnavailable(error)) throw error;
    response.set('retry-after', '30');
    say(response, 503, 'Not possible now', 'Nothing has changed. Please try again in a minute.');
  }
}
