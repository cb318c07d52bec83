// Which problems an operation can answer with, and how they are described.
import type { Operation } from '../operation.ts';
import { type ProblemType, problemTypes } from '../problem.ts';
import type { Json } from './schema.ts';

export const isIdempotent = ({ method, run }: Operation) => method === 'post' && run.kind === 'changes';

export const isLimited = ({ scope, publicPerMinute }: Operation) =>
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
export function problemsOf(operation: Operation, responses: Json): Json {
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

export function examplesOf(operations: readonly Operation[]): Json {
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
