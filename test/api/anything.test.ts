// Whatever is thrown at any operation: never a 500, never an undeclared answer, never half of a change.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeApi } from '../../api/openapi/openapi.ts';
import type { Operation } from '../../api/operation.ts';
import { type Api, startApi } from './in-process.ts';

let api: Api;
beforeAll(async () => {
  // Without rate limits: they would answer most of it.
  api = await startApi({ limit: async () => ({}) });
});
afterAll(() => api[Symbol.asyncDispose]());

type Schema = {
  $ref?: string;
  type?: string;
  enum?: unknown[];
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
};

// Strings that systems stumble over, and strings that are nearly right.
const oddText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme', maxLength: 300 }),
  // What PostgreSQL cannot store.
  fc.constantFrom('a\u0000b', '\ud800'),
  fc.constantFrom(
    '__proto__',
    "'; drop table customer; --",
    '%',
    '\r\nBcc: x@example.com',
    'ann@example.com',
    'x@xn--exmple-cua.example',
    '2030-01-01T09:00:00Z',
    '2030-03-31T02:30:00',
    '9999-12-31T23:59:59Z',
    '0000-01-01T00:00:00Z',
    'Europe/Berlin',
    'PT0S',
    'P9999D',
    '{{link}}',
    '$&',
    'YQ==',
    'https://example.com/',
  ),
);

/** Values that mostly look like what the schema asks for, and sometimes not at all. */
function nearly(schema: Schema, defs: Record<string, Schema>): fc.Arbitrary<unknown> {
  const fitting = shaped(schema, defs);
  return fc.oneof({ weight: 12, arbitrary: fitting }, { weight: 1, arbitrary: fc.jsonValue() });
}

function shaped(schema: Schema, defs: Record<string, Schema>): fc.Arbitrary<unknown> {
  if (schema.$ref) return shaped(resolved(schema, defs), defs);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((each) => nearly(each, defs)));
  if (schema.enum) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case 'object': {
      const known = Object.fromEntries(
        Object.entries(schema.properties ?? {}).map(([name, property]) => [name, nearly(property, defs)]),
      );
      const record = fc.record(known, { requiredKeys: [] });
      const stranger = fc.dictionary(oddText, fc.jsonValue(), { maxKeys: 2 });
      return fc.oneof(
        { weight: 6, arbitrary: record },
        {
          weight: 1,
          arbitrary: fc.tuple(record, stranger).map(([ours, theirs]) => ({ ...ours, ...theirs })),
        },
      );
    }
    case 'array':
      return fc.array(nearly(schema.items ?? {}, defs), { maxLength: 4 });
    case 'boolean':
      return fc.boolean();
    case 'integer':
    case 'number':
      return fc.oneof(fc.integer(), fc.double());
    case 'null':
      return fc.constant(null);
    case 'string':
      return oddText;
    default:
      return fc.jsonValue();
  }
}

/** Of a file whose columns are known. */
const oddLines = fc
  .array(fc.tuple(oddText, oddText, fc.constantFrom('ann@example.com', 'nobody')), { maxLength: 4 })
  .map((lines) => ['code,error,address', ...lines.map((values) => values.join(','))].join('\n'));

function bodiesOf(operation: Operation, document: Described): fc.Arbitrary<unknown> {
  const described = document.paths[operation.path]?.[operation.method]?.requestBody;
  if (!described) return fc.constant(undefined);
  if (operation.textBody) return fc.oneof(oddText, oddLines).map((text) => text.toWellFormed());
  const { schema } = described.content['application/json'];
  const defs = document.components.schemas;
  const { bodyExample: example } = operation;
  if (typeof example !== 'object' || example === null) return nearly(schema, defs);
  return fc.oneof(nearly(schema, defs), { weight: 3, arbitrary: varied(example, schema, defs) });
}

/** A body that is good but for one or two fields: what gets past all other checks meets the database. */
function varied(example: object, schema: Schema, defs: Record<string, Schema>): fc.Arbitrary<unknown> {
  const whole = resolved(schema, defs);
  const { properties = {} } = whole.anyOf?.find((choice) => choice.properties) ?? whole;
  const change = fc
    .constantFrom(...Object.entries(properties))
    .chain(([name, property]) =>
      fc.oneof(oddText, shaped(property, defs)).map((value) => [name, value] as const),
    );
  return fc
    .array(change, { minLength: 1, maxLength: 2 })
    .map((changes) => ({ ...withFreshAddress(example), ...Object.fromEntries(changes) }));
}

let addresses = 0;

/** An address that is taken would end every creation but the first one. */
const withFreshAddress = (example: object) =>
  'email' in example ? { ...example, email: `fresh${addresses++}@example.com` } : example;

const resolved = (schema: Schema, defs: Record<string, Schema>): Schema =>
  schema.$ref === undefined ? schema : (defs[schema.$ref.replace('#/components/schemas/', '')] ?? {});

type Described = {
  paths: Record<
    string,
    Record<string, { requestBody?: { content: { 'application/json': { schema: Schema } } } }>
  >;
  components: { schemas: Record<string, Schema> };
};

const segment = fc.oneof(
  fc.uuid(),
  oddText.filter((text) => text.isWellFormed() && !/^\.{0,2}$/.test(text)).map(encodeURIComponent),
);

describe('no input is a mistake of ours', async () => {
  await using declared = await startApi();
  const document = describeApi(declared.operations, { version: '0.0.0' }) as Described;
  test.each(declared.operations.map((operation) => [operation.id, operation] as const))(
    '%s',
    async (_, operation) => {
      const input = fc.record({
        body: bodiesOf(operation, document),
        ids: fc.array(segment, { minLength: 2, maxLength: 2 }),
        query: fc.dictionary(fc.oneof(fc.constantFrom('limit', 'after', 'status', 'q'), oddText), oddText, {
          maxKeys: 3,
        }),
        key: fc.option(fc.constantFrom('k1', 'k2'), { nil: undefined }),
      });
      await fc.assert(
        fc.asyncProperty(input, async ({ body, ids, query, key }) => {
          let next = 0;
          const path = operation.path.replaceAll(/\{\w+\}/g, () => ids[next++] ?? '');
          const search = new URLSearchParams(
            Object.entries(query).map(([name, value]): [string, string] => [
              name.toWellFormed(),
              value.toWellFormed(),
            ]),
          ).toString();
          const before = await countRows();
          // The answer is held against its declaration on the way.
          const reply = await api.ask(operation.method.toUpperCase(), `${path}${search && `?${search}`}`, {
            ...(operation.textBody ? { raw: body as string } : { body }),
            headers: {
              ...(operation.textBody && { 'content-type': operation.textBody }),
              ...(key !== undefined && { 'idempotency-key': key }),
            },
          });
          expect(reply.status).toBeLessThan(500);
          if (reply.status >= 400) expect(await countRows()).toEqual(before);
        }),
        { numRuns: 60 },
      );
    },
  );
});

async function countRows() {
  const { rows } = await api.query(
    `select (select count(*) from customer) as customers, (select count(*) from owner) as owners,
       (select count(*) from invitation) as invitations, (select count(*) from application) as applications,
       (select count(*) from email) as emails, (select count(*) from event) as events,
       (select count(*) from api_key) as keys, (select count(*) from template) as templates,
       (select count(*) from idempotency_key) as answers`,
  );
  return rows[0];
}
