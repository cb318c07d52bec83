// The stand-in's web side: a list of the mails it took, each with its text, its HTML in a sandbox, and its source.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { simpleParser } from 'mailparser';
import type { Entry, Mailbox } from './mailbox.ts';

export type Web = AsyncDisposable & { readonly port: number };

/**
 * Listens until disposed: `/` for people, `/mail.json` for programs (newest first), `/mail/ID` one mail,
 * `/mail/ID/html` its HTML part, `/mail/ID/source` its bytes. Rejects when the port cannot be had.
 */
export async function listenWeb({
  bind,
  port,
  mailbox,
}: {
  bind: string;
  port: number;
  mailbox: Mailbox;
}): Promise<Web> {
  const server = createServer((request, response) => {
    answer(request.url ?? '/', response).catch((error: Error) => {
      response.writeHead(500, { 'content-type': 'text/plain' }).end(error.message);
    });
  });

  async function answer(url: string, response: ServerResponse): Promise<void> {
    if (url === '/') return sendPage(response, listPage(mailbox.list()));
    if (url === '/mail.json') {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(mailbox.list()));
      return;
    }
    const [, id, part] = /^\/mail\/(\d{17}-[0-9a-f]{6})(?:\/(html|source))?$/.exec(url) ?? [];
    const mail = id && (await mailbox.read(id));
    if (!mail) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('Email not found.');
    } else if (part === 'source') {
      response
        .writeHead(200, { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' })
        .end(mail.bytes);
    } else {
      const parsed = await simpleParser(mail.bytes, { skipTextToHtml: true });
      const html = parsed.html || '';
      if (part === 'html') return sendForeign(response, html);
      sendPage(response, mailPage(mail.entry, { text: parsed.text ?? '', html }));
    }
  }

  const listening = Promise.withResolvers<void>();
  server.once('error', listening.reject);
  server.listen(port, bind, listening.resolve);
  await listening.promise;
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

function sendPage(response: ServerResponse, html: string): void {
  response
    .writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'",
    })
    .end(html);
}

/** Mail is somebody else's page: no scripts, nothing loaded, an origin of its own. */
function sendForeign(response: ServerResponse, html: string): void {
  response
    .writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
    })
    .end(html);
}

/** More than this nobody reads; /mail.json has all of it. */
const shown = 200;

const listPage = (mails: readonly Entry[]) =>
  page(
    'Mail taken by the stand-in provider',
    mails.length === 0
      ? '<p>Nothing yet. This page looks again every three seconds.</p>'
      : `<table><tr><th>Received<th>To<th>Subject<th>Over</tr>${mails
          .slice(0, shown)
          .map(
            ({ id, receivedAt, recipients, subject, tls }) =>
              `<tr><td>${escaped(receivedAt)}<td>${escaped(recipients.join(', '))}` +
              `<td><a href="/mail/${id}">${escaped(subject)}</a><td>${tls}</tr>`,
          )
          .join('')}</table>`,
    '<meta http-equiv="refresh" content="3">',
  );

const mailPage = (entry: Entry, body: { text: string; html: string }) =>
  page(
    entry.subject,
    `<p><a href="/">All mail</a> · <a href="/mail/${entry.id}/source">Source</a></p>
<dl><dt>From<dd>${escaped(entry.from)}<dt>Envelope<dd>${escaped(entry.sender || '<>')} → ${escaped(entry.recipients.join(', '))}
<dt>Received<dd>${escaped(entry.receivedAt)} over ${entry.tls} TLS as ${escaped(entry.user)}</dl>
<pre>${withLinks(body.text)}</pre>
${body.html ? `<iframe sandbox title="The HTML part" src="/mail/${entry.id}/html"></iframe>` : ''}`,
  );

const page = (title: string, body: string, head = '') => `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>${escaped(title)}</title>${head}
<style>body{font:16px/1.5 system-ui;margin:2rem auto;max-width:60rem;padding:0 1rem}table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #ddd}dt{font-weight:600}pre{white-space:pre-wrap;
background:#f6f6f4;padding:1rem}iframe{width:100%;height:40rem;border:1px solid #ddd}</style>
<h1>${escaped(title)}</h1>${body}</html>`;

const escaped = (text: string) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** Links of the text part can be followed: an invitation is tried by opening it. */
const withLinks = (text: string) =>
  escaped(text).replace(
    /https?:\/\/[^\s<>&]+(?:&#38;[^\s<>&]+)*/g,
    (url) => `<a href="${url}" rel="noreferrer">${url}</a>`,
  );
