// The manual at /docs: contents, chapters, search and the files that the chapters name. Read when it is first asked
// for, because few processes are ever asked.
import { Router } from 'express';
import { chapters } from '../manual/chapters.ts';
import type { Manual, Section } from '../manual/manual.ts';
import { type Found, longestQuery, searchSections } from '../manual/search.ts';
import { Problem } from '../problem.ts';
import { escapeHtml as e } from '../templates/render.ts';
import { sendPage } from './page.ts';

/** @param reference sections of the API reference, which a search finds beside those of the manual */
export function manualPages(reference: readonly Section[]): Router {
  let manual: Promise<Manual> | undefined;
  const read = () => {
    manual ??= import('../manual/manual.ts').then(({ readManual }) => readManual());
    return manual;
  };
  const router = Router();

  router.get('/docs', (_request, response) =>
    sendPage(response, { title: 'Postern manual', body: contents(), hasForm: true }),
  );

  router.get('/docs/search', async (request, response) => {
    const query = typeof request.query.q === 'string' ? request.query.q.trim() : '';
    const { sections } = await read();
    const found = searchSections([...sections, ...reference], query);
    sendPage(response, { title: `${query} – Postern manual`, body: results(query, found), hasForm: true });
  });

  router.get('/docs/files/*path', async (request, response) => {
    const path = (request.params.path as unknown as string[]).join('/');
    const file = (await read()).files.get(path);
    if (!file) throw new Problem('not-found', 'File not found in the manual.');
    response.set({ 'content-type': 'text/plain; charset=utf-8' }).end(file);
  });

  router.get('/docs/:chapter', async (request, response) => {
    const page = (await read()).pages.get(request.params.chapter);
    if (!page) throw new Problem('not-found', 'Page not found. /docs lists all pages of the manual.');
    const headings = page.headings.filter(({ level }) => level === 2);
    const nav = headings.map(({ id, text }) => `<a href="#${id}">${e(text)}</a>`).join(' · ');
    sendPage(response, {
      title: `${page.title} – Postern manual`,
      body: `${searchForm()}<p class="soft">${nav}</p>${page.html}`,
      hasForm: true,
    });
  });
  return router;
}

const contents = () => {
  const rows = [
    ...chapters.map(({ slug, title, about }) => [`/docs/${slug}`, title, about]),
    [
      '/docs/api',
      'API reference',
      'Every operation with its request and its responses. Also as OpenAPI 3.1.',
    ],
    ['/docs/causes', 'Why mail waits or fails', 'Every cause, and what to do about it.'],
  ].map(
    ([href = '', title = '', about = '']) =>
      `<tr><td><a href="${href}">${e(title)}</a></td><td>${e(about)}</td></tr>`,
  );
  return `<h1>Postern manual</h1>${searchForm()}<table>${rows.join('')}</table>`;
};

const searchForm = (query = '') =>
  `<form role="search" action="/docs/search"><input type="search" name="q" maxlength="${longestQuery}" value="${e(query)}" aria-label="Search the manual" placeholder="Search the manual"> <button>Search</button> <a href="/docs">Contents</a></form>`;

function results(query: string, found: readonly Found[]): string {
  const entries = found.map(
    ({ href, page, heading, excerpt }) =>
      `<p><a href="${e(href)}">${e(heading)}</a> <span class="soft">${e(page)}</span><br>${e(excerpt)}</p>`,
  );
  const none = query
    ? `<p>No page contains all of these words: ${e(query)}</p>`
    : '<p>Type a word to search for.</p>';
  return `<h1>Search</h1>${searchForm(query)}${entries.join('') || none}`;
}
