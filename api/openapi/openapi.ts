// The OpenAPI 3.1 description, made from the operations themselves: what is written here is what validates.
import type { z } from 'zod';
import type { DeclaredAnswer, Operation } from '../operation.ts';
import {
  faultSchema,
  idempotencyParameter,
  ifMatchParameter,
  problemSchema,
  responseHeaders,
} from './components.ts';
import { exampleOf } from './example.ts';
import { operationName } from './operation-name.ts';
import { description, tags } from './overview.ts';
import { examplesOf, isIdempotent, isLimited, problemsOf } from './problems.ts';
import { type Json, toSchema } from './schema.ts';

/** What operations refer to; describing them collects it. */
type Components = { readonly schemas: Json; readonly responses: Json };

const sorted = (members: Json): Json =>
  Object.fromEntries(Object.entries(members).sort(([a], [b]) => (a < b ? -1 : 1)));

/** Describes all operations. The result is plain JSON and the same for every process. */
export function describeApi(
  operations: readonly Operation[],
  { version, publicUrl }: { version: string; publicUrl?: string | undefined },
): Json {
  const components: Components = { schemas: { Problem: problemSchema, Fault: faultSchema }, responses: {} };
  const paths: Record<string, Json> = {};
  for (const operation of operations) {
    const path = paths[operation.path] ?? {};
    path[operation.method] = describeOperation(operation, components);
    paths[operation.path] = path;
  }
  const used = new Set(operations.map(({ tag }) => tag));
  return {
    openapi: '3.1.0',
    info: {
      title: 'Postern',
      version,
      summary: 'Self-hosted transactional mail.',
      description,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [
      publicUrl === undefined
        ? { url: '/', description: 'The server that sent this document.' }
        : { url: publicUrl, description: 'PUBLIC_URL of this installation.' },
    ],
    security: [{ key: [] }],
    tags: Object.entries(tags)
      .filter(([name]) => used.has(name))
      .map(([name, text]) => ({ name, description: text })),
    paths,
    components: {
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer', description: 'An API key. The first one is API_KEY.' },
      },
      headers: responseHeaders,
      examples: examplesOf(operations),
      responses: sorted(components.responses),
      schemas: sorted(components.schemas),
    },
  };
}

function describeOperation(operation: Operation, components: Components): Json {
  const { schemas } = components;
  const { scope, body } = operation;
  const scopeLine =
    scope === 'public'
      ? 'Needs no key.'
      : `Needs a key with the scope \`${scope}\`${scope === 'admin' ? '' : ' or one that includes it'}.`;
  return {
    operationId: operationName(operation),
    tags: [operation.tag],
    summary: operation.summary,
    description: [operation.description, scopeLine].filter(Boolean).join('\n\n'),
    ...(scope === 'public' && { security: [] }),
    ...parametersOf(operation, schemas),
    ...(body && {
      requestBody: {
        required: !body.safeParse({}).success,
        content: {
          [operation.textBody ?? 'application/json']: {
            schema: toSchema(operation.describedBody ?? body, 'input', schemas),
            ...(operation.bodyExample !== undefined && { example: operation.bodyExample }),
          },
        },
      },
    }),
    responses: { ...answersOf(operation, schemas), ...problemsOf(operation, components.responses) },
  };
}

function parametersOf(operation: Operation, schemas: Json): Json {
  const parameters = [
    ...fieldsOf(operation.params, 'path', schemas),
    ...fieldsOf(operation.query, 'query', schemas),
    ...(isIdempotent(operation) ? [idempotencyParameter] : []),
    ...(operation.knowsRevisions ? [ifMatchParameter] : []),
  ];
  return parameters.length > 0 ? { parameters } : {};
}

function fieldsOf(schema: z.ZodType | undefined, place: 'path' | 'query', schemas: Json): Json[] {
  if (!schema) return [];
  const { properties = {}, required = [] } = toSchema(schema, 'input', schemas) as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description: text, ...property }]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    ...(text !== undefined && { description: text }),
    schema: property,
  }));
}

function answersOf(operation: Operation, schemas: Json): Json {
  return Object.fromEntries(
    Object.entries(operation.answers).map(([status, answer]) => [
      status,
      describeAnswer(operation, answer, schemas),
    ]),
  );
}

function describeAnswer(operation: Operation, answer: DeclaredAnswer, schemas: Json): Json {
  const shown = ['X-Request-Id', ...(isLimited(operation) ? ['RateLimit', 'RateLimit-Policy'] : [])];
  if (isIdempotent(operation)) shown.push('Idempotency-Replayed');
  const schema = answer.schema && toSchema(answer.schema, 'output', schemas);
  return {
    description: answer.description,
    headers: Object.fromEntries(shown.map((name) => [name, { $ref: `#/components/headers/${name}` }])),
    ...(schema && {
      content: {
        [answer.contentType ?? 'application/json']: {
          schema,
          example: answer.example ?? exampleOf(schema, schemas),
        },
      },
    }),
  };
}
