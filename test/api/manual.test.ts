// The manual at /docs: whole without the internet, searchable, and with no link that leads nowhere.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chapters } from '../../api/manual/chapters.ts';
import { searchSections } from '../../api/manual/search.ts';
import { startApi } from './in-process.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
let api: Awaited<ReturnType<typeof startApi>>;
beforeAll(async () => {
  api = await startApi();
});
afterAll(async () => api[Symbol.asyncDispose]());

const page = (path: string) => api.get(path, { key: null });

test('every chapter is a page that loads nothing', async () => {
  const { text } = await page('/docs');
  for (const { slug, title } of chapters) {
    expect(text).toContain(`href="/docs/${slug}"`);
    const chapter = await page(`/docs/${slug}`);
    expect(chapter.status).toBe(200);
    expect(chapter.text).toContain(`<title>${title}`);
    expect(chapter.text).not.toMatch(/<(?:script|img|iframe|object|style src)/);
    expect(chapter.headers.get('content-security-policy')).toContain("default-src 'none'");
  }
});

test('every link inside the manual leads to a page, an anchor or a file that is there', async () => {
  const start = ['/docs', '/docs/api', '/docs/causes', ...chapters.map(({ slug }) => `/docs/${slug}`)];
  const texts = new Map<string, string>();
  for (const path of start) texts.set(path, (await page(path)).text);
  const broken: string[] = [];
  for (const [path, text] of texts) {
    for (const [, href = ''] of text.matchAll(/<a href="([^"]+)"/g)) {
      if (/^(?:https?|mailto):/.test(href)) continue;
      const [target = '', anchor] = href.split('#');
      const where = target || path;
      if (!texts.has(where)) {
        const { status, text: body } = await page(where);
        if (status !== 200) broken.push(`${path}: ${href} answers ${status}`);
        texts.set(where, status === 200 && !where.startsWith('/docs/files/') ? body : '');
      }
      // The relay writes the causes when it starts; here no relay has.
      if (anchor && where !== '/docs/causes' && !texts.get(where)?.includes(`id="${anchor}"`)) {
        broken.push(`${path}: ${href} has no such anchor`);
      }
    }
  }
  expect(broken).toEqual([]);
});

test('every relative link in the Markdown files leads to a file of the repository', () => {
  const broken = chapters.flatMap(({ file }) => {
    const text = readFileSync(join(root, file), 'utf8').replaceAll(/```[\s\S]*?```/g, '');
    return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, href = '']) => href)
      .filter((href) => !/^(?:https?:|mailto:|#)/.test(href))
      .filter((href) => !existsSync(join(root, posix.join(dirname(file), href.replace(/#.*/, '')))))
      .map((href) => `${file}: ${href}`);
  });
  expect(broken).toEqual([]);
});

test('a search finds a variable, an operation and a type of problem, and says when it finds nothing', async () => {
  expect((await page('/docs/search?q=SMTP_FAILOVER_PORT')).text).toContain('/docs/running#');
  expect((await page('/docs/search?q=scheduled%20cancel')).text).toContain('/docs/api#');
  expect((await page('/docs/search?q=idempotency')).text).toContain('/problems/');
  expect((await page('/docs/search?q=zzzz%3Cscript%3E')).text).toContain(
    'No page contains all of these words: zzzz&lt;script&gt;',
  );
  expect((await page('/docs/search')).text).toContain('Type a word to search for.');
});

test('a word in a heading counts for more than one in the text', () => {
  const section = (heading: string, text: string) => ({ page: 'p', href: `#${heading}`, heading, text });
  const found = searchSections(
    [section('Other', 'how to restore a backup'), section('Backup', 'nothing else'), section('None', 'x')],
    'BACKUP',
  );
  expect(found.map(({ heading }) => heading)).toEqual(['Backup', 'Other']);
});

test('what is no chapter and no file of the manual is not found', async () => {
  for (const path of [
    '/docs/nothing',
    '/docs/files/package.json',
    '/docs/files/..%2f.env',
    '/docs/files/api/main.ts',
  ])
    expect((await page(path)).status, path).toBe(404);
});
