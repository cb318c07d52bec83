// Nobody meets a cause without its words: every slug that any process writes down has an entry, every entry says what
// to do, and on every platform where to type it.
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { storeCauses } from '../../../relay/store-causes.ts';
import { type Cause, catalogue } from '../../../relay/verdict/catalogue.ts';
import { explain } from '../../../relay/verdict/explain.ts';
import { variablesIn } from '../../../relay/verdict/where-to-type.ts';
import { startApi } from '../../api/in-process.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const literals = [
  /(?:cause|reason|restored)['"]?(?:::text)?\s*[:=,]\s*'([a-z][a-z0-9-]+)'/g,
  /\b(?:then|else) '([a-z]+(?:-[a-z]+)+)'/g,
  /"cause": "([a-z-]+)"/g,
];
// In the same notation, but a result, a right, the name of a column, a reason of a refusal at submission or of a suppression,
// the state of a webhook, or the cause of an alert that brings its own words.
const notCauses = new Set([
  'locked',
  'detail',
  'since',
  'words',
  'select',
  'tls-in-vain',
  'enabled',
  'by-hand',
  'unsubscribe',
  'bounce',
  'suppressionreason',
  'note',
  'source',
  'too-many-reports',
]);

test('every cause that is written anywhere has an entry', () => {
  const files = globSync('{relay,worker,api,deploy}/**/*.ts', { cwd: root });
  const written = files.flatMap((file) =>
    literals
      .flatMap((literal) => [...readFileSync(`${root}/${file}`, 'utf8').matchAll(literal)])
      .map(([, slug = '']) => ({ file, slug })),
  );
  const unknown = written.filter(({ slug }) => !(slug in catalogue) && !notCauses.has(slug));
  expect(unknown).toEqual([]);
  const slugs = new Set(written.map(({ slug }) => slug));
  for (const own of [
    'not-configured',
    'relay-lost',
    'uncertain-twice',
    'database-restored',
    'too-late',
    'sender-free',
  ])
    expect(slugs, 'the search finds what is certainly there').toContain(own);
});

const platforms = ['coolify', 'render', 'railway', 'docker', 'plain'] as const;
const cases = (Object.keys(catalogue) as Cause[]).flatMap((cause) =>
  platforms.map((platform) => ({ cause, platform })),
);

test.each(platforms)('what names a variable says where to type it on %s', (platform) => {
  for (const { cause } of cases.filter((one) => one.platform === platform)) {
    const { title, meaning, fix, where, docs } = explain(cause, { platform });
    expect(Math.min(title.length, meaning.length, fix.length), cause).toBeGreaterThan(5);
    expect(docs).toBe(`/docs/causes#${cause}`);
    const variables = variablesIn(fix);
    if (variables.length === 0) expect(where === null, cause).toBe(!cause.startsWith('env-'));
    else if (platform !== 'plain') expect(where, cause).toContain(variables[0]);
    else expect(where, cause).toContain('.env');
  }
});

test('every environment finding tells something else on every platform', () => {
  for (const cause of Object.keys(catalogue) as Cause[]) {
    if (!cause.startsWith('env-')) continue;
    const steps = platforms.map((platform) => {
      const { fix, where } = explain(cause, { platform });
      return `${fix} ${where}`;
    });
    expect(new Set(steps).size, cause).toBe(platforms.length);
  }
});

test('the page of causes has a paragraph for each, with the advice for this platform', async () => {
  await using api = await startApi();
  expect((await api.get('/docs/causes', { key: null })).text).toContain('until the relay has started once');
  await storeCauses(api, { host: 'smtp.gmail.com', platform: 'coolify' });
  const { status, text, headers } = await api.get('/docs/causes', { key: null });
  expect(status).toBe(200);
  expect(headers.get('content-type')).toContain('text/html');
  for (const cause of Object.keys(catalogue)) expect(text).toContain(`<h2 id="${cause}">`);
  expect(text).toContain('App Password');
  expect(text).toContain('then Redeploy or Restart there');
  expect(text).not.toMatch(/(src|href)="https?:/);
});
