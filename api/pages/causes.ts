// Every cause that mail can wait or fail for, in the words the relay has written down for its provider and platform:
// /docs/causes#SLUG is where answers, alerts and the doctor send a reader.
import { Router } from 'express';
import type { Queryable } from '../../deploy/database.ts';
import { listCauses } from '../../relay/client/status/causes.ts';
import { escapeHtml as e } from '../templates/render.ts';
import { sendPage } from './page.ts';

export function causesPage(database: Queryable): Router {
  const router = Router();
  router.get('/docs/causes', async (_request, response) => {
    const causes = await listCauses(database);
    const entries = causes.map(
      ({ slug, title, meaning, fix }) =>
        `<h2 id="${e(slug)}">${e(title)}</h2><p class="soft"><a href="#${e(slug)}"><code>${e(slug)}</code></a></p>` +
        `<p>${e(meaning)}</p><p><strong>What to do:</strong> ${e(fix)}</p>`,
    );
    const body =
      '<h1>Why mail waits or fails</h1><p class="soft"><a href="/docs">Manual</a></p>' +
      (entries.join('') || '<p>This page is empty until the relay has started once.</p>');
    sendPage(response, { title: 'Why mail waits or fails', body });
  });
  return router;
}
