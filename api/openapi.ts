// The OpenAPI 3.1 description, made from the operations themselves: what is written here is what validates.
import { z } from 'zod';
import { exampleOf } from './example.ts';
import type { DeclaredAnswer, Operation } from './operation.ts';
import { type ProblemType, problemTypes } from './problem.ts';

type Json = Record<string, unknown>;

/** What operations refer to; describing them collects it. */
type Components = { readonly schemas: Json; readonly responses: Json };

const sorted = (members: Json): Json =>
  Object.fromEntries(Object.entries(members).sort(([a], [b]) => (a < b ? -1 : 1)));

const tags: Readonly<Record<string, string>> = {
  Customers: 'Customers, their owners and their invitations.',
  Onboarding: 'Applications from the public, and what an administrator makes of them.',
  Emails: 'Single mails and what became of them.',
  Scheduling: 'Mail for later: the email-config of a client and its scheduled mails.',
  Diagnosis: 'Whether mail can leave, and why not.',
  Templates: 'The words of invitation and rejection.',
  Keys: 'API keys.',
};

const description = `Postern takes transactional mail over HTTP, keeps it safe and hands it to your provider.

A 201 or a 202 means that what you asked for is committed, its mail included; mail never fails a request.
\`sent\` means that the provider took responsibility for a mail: nobody can know more.

Errors are \`application/problem+json\` (RFC 9457) of a closed list of types, each explained at \`/problems/TYPE\`.
In a body, \`null\` is the same as nothing there.

Send an \`Idempotency-Key\` with a POST and repeat it as often as you like: it happens once.

Send a \`traceparent\` (W3C Trace Context) and the mail's timeline and every line of our logs about it bear its trace id,
up to the provider's reply; without one, a trace is begun.`;

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
        ? { url: '/', description: 'Where this document came from.' }
        : { url: publicUrl, description: 'PUBLIC_URL of this installation.' },
    ],
    security: [{ key: [] }],
    tags: Object.entries(tags)
      .filter(([name]) => used.has(name))
      .map(([name, text]) => ({ name, description: text })),
    paths,
    components: {
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer', description: 'An API key; API_KEY is the first one.' },
      },
      headers,
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
    operationId: operation.id,
    tags: [operation.tag],
    summary: operation.summary,
    description: [operation.description, scopeLine].filter(Boolean).join('\n\n'),
    ...(scope === 'public' && { security: [] }),
    ...parametersOf(operation, schemas),
    ...(body && {
      requestBody: {
        required: !body.safeParse({}).success,
        content: {
          'application/json': {
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

const isIdempotent = ({ method, run }: Operation) => method === 'post' && run.kind === 'changes';

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

const isLimited = ({ scope, publicPerMinute }: Operation) =>
  scope !== 'public' || publicPerMinute !== undefined;

/** Every problem that the operation can answer with: its own, and those of everything around it. */
export function problemTypesOf(operation: Operation): ProblemType[] {
  const { scope, params, query, body, run, problems = [] } = operation;
  const all: (ProblemType | false)[] = [
    'malformed-request',
    scope !== 'public' && 'unauthenticated',
    scope !== 'public' && 'forbidden',
    params !== undefined && 'not-found',
    body !== undefined && 'malformed-json',
    body !== undefined && 'request-timeout',
    body !== undefined && 'body-too-large',
    body !== undefined && 'unsupported-media-type',
    (query !== undefined || body !== undefined || isIdempotent(operation)) && 'invalid-fields',
    isIdempotent(operation) && 'request-running',
    isIdempotent(operation) && 'idempotency-key-reused',
    run.kind === 'changes' && run.idempotency === 'secret' && 'answer-was-secret',
    isLimited(operation) && 'rate-limited',
    'internal',
    (operation.bodyLimit ?? 0) > 64 * 1024 && 'busy',
    'database-unavailable',
    ...problems,
  ];
  return [...new Set(all.filter((type) => type !== false))];
}

/** The refusals of an operation by status; those with the same types are described once, among the components. */
function problemsOf(operation: Operation, responses: Json): Json {
  const byStatus = Map.groupBy(problemTypesOf(operation), (type) => problemTypes[type].status);
  return Object.fromEntries(
    [...byStatus]
      .sort(([a], [b]) => a - b)
      .map(([status, types]) => {
        const name = types.toSorted().join('.');
        responses[name] ??= describeProblems(status, types);
        return [status, { $ref: `#/components/responses/${name}` }];
      }),
  );
}

function describeProblems(status: number, types: readonly ProblemType[]): Json {
  return {
    description: types.map((type) => problemTypes[type].title).join('; '),
    headers: {
      'X-Request-Id': { $ref: '#/components/headers/X-Request-Id' },
      ...([409, 429, 503].includes(status) && {
        'Retry-After': { $ref: '#/components/headers/Retry-After' },
      }),
    },
    content: {
      'application/problem+json': {
        schema: { $ref: '#/components/schemas/Problem' },
        examples: Object.fromEntries(types.map((type) => [type, { $ref: `#/components/examples/${type}` }])),
      },
    },
  };
}

function examplesOf(operations: readonly Operation[]): Json {
  const types = new Set(operations.flatMap(problemTypesOf));
  return Object.fromEntries(
    [...types].map((type) => [type, { summary: problemTypes[type].title, value: exampleProblem(type) }]),
  );
}

function exampleProblem(type: ProblemType): Json {
  const { status, title } = problemTypes[type];
  return {
    type: `/problems/${type}`,
    title,
    status,
    detail: `${title}.`,
    instance: '/requests/0197e4a6-0000-7000-8000-000000000000',
    ...(type === 'invalid-fields' && {
      errors: [{ in: 'body', pointer: '#/email', detail: 'is required', received: null, accepted: 'string' }],
    }),
  };
}

const problemSchema: Json = {
  type: 'object',
  description: 'What went wrong, in the form of RFC 9457. Some types have further members.',
  required: ['type', 'title', 'status', 'detail', 'instance'],
  properties: {
    type: { type: 'string', enum: Object.keys(problemTypes).map((type) => `/problems/${type}`) },
    title: { type: 'string' },
    status: { type: 'integer', minimum: 400, maximum: 599 },
    detail: { type: 'string' },
    instance: { type: 'string', description: "The request's id, as in X-Request-Id and in our log." },
    errors: { type: 'array', items: { $ref: '#/components/schemas/Fault' } },
  },
  additionalProperties: true,
};

const faultSchema: Json = {
  type: 'object',
  description: 'One field at fault.',
  required: ['in', 'pointer', 'detail'],
  properties: {
    in: { type: 'string', enum: ['body', 'query', 'path', 'header'] },
    pointer: { type: 'string', description: 'JSON Pointer in URI fragment form (RFC 6901 section 6).' },
    detail: { type: 'string' },
    received: { description: 'What arrived, shortened; secrets are not repeated.' },
    accepted: { description: 'What would be accepted, where that is a short list or a bound.' },
  },
  additionalProperties: false,
};

const headers: Json = {
  'X-Request-Id': {
    description: 'The id of the request: yours, if you sent one.',
    schema: { type: 'string' },
  },
  RateLimit: {
    description: 'What is left of this minute (draft-ietf-httpapi-ratelimit-headers).',
    schema: { type: 'string' },
    example: '"default";r=59999;t=42',
  },
  'RateLimit-Policy': {
    description: 'The limit and its window in seconds.',
    schema: { type: 'string' },
    example: '"default";q=60000;w=60',
  },
  'Idempotency-Replayed': {
    description: '`true` when this is the stored answer of an earlier request with the same key.',
    schema: { type: 'string', enum: ['true'] },
  },
  'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer' } },
};

const idempotencyParameter: Json = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description:
    'Makes the request safe to repeat: the same key and body happen once and get the same answer, for 24 hours ' +
    'or until 24 hours after the scheduled time.',
  schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[\\x21-\\x7e]+$' },
};

const ifMatchParameter: Json = {
  name: 'If-Match',
  in: 'header',
  required: false,
  description: 'The ETag that was read: the change is refused with 412 when somebody else changed it since.',
  schema: { type: 'string' },
};

/** From zod to JSON Schema; schemas with an id become components. */
function toSchema(schema: z.ZodType, io: 'input' | 'output', schemas: Json): Json {
  const {
    $schema: _,
    $defs = {},
    ...root
  } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Json & {
    $defs?: Json;
  };
  for (const [name, definition] of Object.entries($defs)) {
    const { id: _id, ...known } = pointToComponents(definition) as Json;
    if (schemas[name] && JSON.stringify(schemas[name]) !== JSON.stringify(known)) {
      throw new Error(`Two different schemas are called ${name}`);
    }
    schemas[name] = known;
  }
  return pointToComponents(root) as Json;
}

function pointToComponents(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(pointToComponents);
  if (typeof node !== 'object' || node === null) return node;
  return Object.fromEntries(
    Object.entries(node).map(([name, value]) =>
      name === '$ref' && typeof value === 'string'
        ? [name, value.replace('#/$defs/', '#/components/schemas/')]
        : [name, pointToComponents(value)],
    ),
  );
}
