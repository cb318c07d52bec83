import { createConfig, lintFromString } from '@redocly/openapi-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { operationName } from '../../api/openapi/operation-name.ts';
import { problemTypes } from '../../api/problem.ts';
import { type Api, startApi } from './in-process.ts';

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api[Symbol.asyncDispose]());

type Described = {
  openapi: string;
  paths: Record<string, Record<string, DescribedOperation>>;
  components: { schemas: Record<string, unknown>; examples: Record<string, unknown> };
};
type DescribedOperation = {
  operationId: string;
  requestBody?: { content: { 'application/json': { example?: unknown } } };
  responses: Record<string, { content?: Record<string, { example?: unknown }> }>;
};

async function described(): Promise<Described> {
  return (await api.get('/openapi.json', { key: null })).body;
}

test('the description is the golden one; look at the difference and run vitest with -u when it is meant', async () => {
  const document = await described();
  await expect(`${JSON.stringify(document, null, 2)}\n`).toMatchFileSnapshot('openapi.golden');
});

test('every operation that is served is described, once, under its own name', async () => {
  const operations = Object.values((await described()).paths).flatMap((path) => Object.values(path));
  const names = operations.map(({ operationId }) => operationId);
  expect(new Set(names).size).toBe(names.length);
  expect(names.sort()).toEqual(api.operations.map(operationName).sort());
  // As a client reads: what, and what is done with it.
  for (const name of names) expect(name).toMatch(/^[a-z]+(?:[A-Z][a-z]+)*\.[a-z]+(?:[A-Z][a-z]+)*$/);
  expect(names).toEqual(expect.arrayContaining(['emails.send', 'scheduledEmails.cancel', 'keys.create']));
});

test('every example of a body passes the validation that it explains', () => {
  for (const { id, body, bodyExample } of api.operations) {
    if (body && bodyExample !== undefined)
      expect([id, body.safeParse(bodyExample).success]).toEqual([id, true]);
  }
});

test('every answer with a body has an example, and it is what the operation may answer', async () => {
  const { paths } = await described();
  for (const { id, path, method, answers } of api.operations) {
    for (const [status, { schema }] of Object.entries(answers)) {
      const content = Object.values(paths[path]?.[method]?.responses[status]?.content ?? {})[0];
      if (schema) expect([id, schema.safeParse(content?.example).error]).toEqual([id, undefined]);
    }
  }
});

test('every operation declares its errors, and every type of problem has its page', async () => {
  const document = await described();
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const { responses } of Object.values(methods)) {
      expect([path, Object.keys(responses)]).toEqual([path, expect.arrayContaining(['400', '500', '503'])]);
    }
  }
  for (const type of Object.keys(problemTypes)) {
    expect((await api.get(`/problems/${type}`, { key: null })).status).toBe(200);
  }
  expect((await api.get('/problems/toString', { key: null })).status).toBe(404);
});

async function lint(document: Described): Promise<string[]> {
  const found = await lintFromString({
    source: JSON.stringify(document),
    absoluteRef: '/openapi.json',
    config: await createConfig({ extends: ['recommended'] }),
  });
  return found.map(
    ({ severity, ruleId, message, location }) => `${severity} ${ruleId} ${message} ${location[0]?.pointer}`,
  );
}

test('Redocly’s recommended rules find no error in it, and no warning', async () => {
  expect(await lint(await described())).toEqual([]);
});

test('the rules do find what is wrong', async () => {
  const document = await described();
  document.paths['/broken/{id}'] = { get: { operationId: 'broken', responses: {} } };
  expect(await lint(document)).toContainEqual(expect.stringMatching(/^error path-parameters-defined/));
});

test('references lead somewhere and nothing is described that nobody refers to', async () => {
  const document = await described();
  const text = JSON.stringify(document);
  const references = new Set([...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name));
  expect([...references].sort()).toEqual(Object.keys(document.components.schemas).sort());
});

test('the page for people names every operation and loads nothing from elsewhere', async () => {
  const { status, text, headers } = await api.get('/docs/api', { key: null });
  expect(status).toBe(200);
  for (const operation of api.operations) {
    expect(text).toContain(`id="${operationName(operation)}"`);
    expect(text).toContain(operation.path);
  }
  expect(text).not.toMatch(/(?:src|href)="https?:/);
  expect(headers.get('content-security-policy')).toContain("default-src 'none'");
});

test('opening the link of an invitation shows a button and redeems nothing', async () => {
  const page = await api.get('/invitation', { key: null });
  expect(page.text).toContain('<button');
  expect((await api.get('/invitation.js', { key: null })).headers.get('content-type')).toContain(
    'javascript',
  );
});
