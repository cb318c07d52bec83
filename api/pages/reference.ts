// The API explained to people, from the same description that machines read: /docs/api, /openapi.json, and one page for
// every problem type at the address that its `type` names.
import { Router } from 'express';
import type { Section } from '../manual/manual.ts';
import { describeApi } from '../openapi/openapi.ts';
import type { Operation } from '../operation.ts';
import { Problem, type ProblemType, problemTypes } from '../problem.ts';
import { escapeHtml as e } from '../templates/render.ts';
import { sendPage } from './page.ts';

type Described = {
  info: { description: string; version: string };
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, DescribedOperation>>;
  components: { schemas: Record<string, unknown>; responses: Record<string, DescribedResponse> };
};

type DescribedOperation = {
  operationId: string;
  tags: string[];
  summary: string;
  description: string;
  parameters?: { name: string; in: string; required: boolean; description?: string; schema: object }[];
  requestBody?: { content: { 'application/json': { schema: object; example?: unknown } } };
  responses: Record<string, DescribedResponse & { $ref?: string }>;
};

type DescribedResponse = {
  description: string;
  content?: Record<string, { schema: object; example?: unknown }>;
};

export function referencePages(
  operations: readonly Operation[],
  about: { version: string; publicUrl?: string | undefined },
): Router {
  const described = describeApi(operations, about);
  const json = JSON.stringify(described, null, 2);
  const body = writeDocs(described as unknown as Described);
  const router = Router();
  router.get('/openapi.json', (_request, response) => {
    response
      .set({ 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-cache' })
      .end(json);
  });
  router.get('/docs/api', (_request, response) => sendPage(response, { title: 'Postern API', body }));
  router.get('/problems/:type', (request, response) => {
    const type = request.params.type as ProblemType;
    if (!Object.hasOwn(problemTypes, type)) throw new Problem('not-found', 'Unknown type of problem.');
    sendPage(response, { title: problemTypes[type].title, body: writeProblem(type) });
  });
  return router;
}

/** What a search of the manual finds of the reference: one section an operation, one a type of problem. */
export function referenceSections(operations: readonly Operation[], version: string): Section[] {
  const { paths } = describeApi(operations, { version }) as unknown as Described;
  const page = 'API reference';
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId, summary, description }]) => ({
      page,
      href: `/docs/api#${operationId}`,
      heading: summary,
      text: `${method.toUpperCase()} ${path} ${description}`,
    })),
  );
  const problems = Object.entries(problemTypes).map(([type, { status, title, advice }]) => ({
    page: 'Problems',
    href: `/problems/${type}`,
    heading: title,
    text: `${status} ${type} ${advice}`,
  }));
  return [...described, ...problems];
}

function writeProblem(type: ProblemType): string {
  const { status, title, advice } = problemTypes[type];
  return `<p class="soft"><code>${type}</code>, HTTP status ${status}</p><h1>${e(title)}</h1><p>${paragraphs(advice)}</p><p><a href="/docs/api">All of the API</a></p>`;
}

function writeDocs({ info, tags, paths, components }: Described): string {
  const all = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation })),
  );
  const contents = tags.map(({ name }) => `<a href="#${name}">${name}</a>`).join(' · ');
  const sections = tags.map(
    ({ name, description }) =>
      `<h2 id="${name}">${name}</h2><p>${paragraphs(description)}</p>${all
        .filter((operation) => operation.tags.includes(name))
        .map((operation) => writeOperation(operation, components))
        .join('')}`,
  );
  const problems = Object.entries(problemTypes).map(
    ([type, { status, title }]) =>
      `<tr><td>${status}</td><td><a href="/problems/${type}"><code>${type}</code></a></td><td>${e(title)}</td></tr>`,
  );
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) =>
      `<details id="schema-${name}"><summary><code>${name}</code></summary>${code(schema)}</details>`,
  );
  return `<h1>Postern API</h1><p class="soft">Version ${e(info.version)} · <a href="/openapi.json">OpenAPI 3.1</a></p>
<p>${paragraphs(info.description)}</p><p>${contents} · <a href="#problems">Problems</a> · <a href="#schemas">Schemas</a></p>
${sections.join('')}<h2 id="problems">Problems</h2><table>${problems.join('')}</table><h2 id="schemas">Schemas</h2>${schemas.join('')}`;
}

function writeOperation(
  operation: DescribedOperation & { path: string; method: string },
  components: Described['components'],
): string {
  const { parameters = [], requestBody, responses } = operation;
  const body = requestBody?.content['application/json'];
  const rows = parameters.map(
    ({ name, in: place, required, description }) =>
      `<tr><td><code>${e(name)}</code></td><td>${place}${required ? ', required' : ''}</td><td>${paragraphs(description ?? '')}</td></tr>`,
  );
  const answers = Object.entries(responses).map(
    ([status, response]) =>
      `<tr><td>${status}</td><td>${e(resolve(response, components).description)}</td></tr>`,
  );
  const success = Object.values(Object.values(responses)[0]?.content ?? {})[0];
  return `<h3 id="${operation.operationId}"><span class="method">${operation.method}</span> <code>${e(operation.path)}</code></h3>
<p><strong>${e(operation.summary)}</strong></p><p>${paragraphs(operation.description)}</p>
${rows.length > 0 ? `<table>${rows.join('')}</table>` : ''}
${body?.example === undefined ? '' : code(body.example)}
${body ? `<details><summary>Body</summary>${code(body.schema)}</details>` : ''}
${success ? `<details><summary>Answer</summary>${code(success.example)}${code(success.schema)}</details>` : ''}
<details><summary>Statuses</summary><table>${answers.join('')}</table></details>`;
}

function resolve(response: DescribedResponse & { $ref?: string }, { responses }: Described['components']) {
  return responses[response.$ref?.replace('#/components/responses/', '') ?? ''] ?? response;
}

function code(value: unknown): string {
  const text = e(JSON.stringify(value, null, 2));
  const linked = text.replaceAll(
    /&quot;#\/components\/schemas\/(\w+)&quot;/g,
    '<a href="#schema-$1">&quot;$1&quot;</a>',
  );
  return `<pre><code>${linked}</code></pre>`;
}

/** Paragraphs and `code`, which is all the formatting our descriptions use. */
const paragraphs = (text: string) =>
  e(text)
    .replaceAll('\n\n', '</p><p>')
    .replaceAll(/`([^`]+)`/g, '<code>$1</code>');
