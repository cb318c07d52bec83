// The parts of the description that are the same for all operations.
import { problemTypes } from '../problem.ts';
import type { Json } from './schema.ts';

export const problemSchema: Json = {
  type: 'object',
  description: 'An error in the form of RFC 9457. Some types have further members.',
  required: ['type', 'title', 'status', 'detail', 'instance'],
  properties: {
    type: { type: 'string', enum: Object.keys(problemTypes).map((type) => `/problems/${type}`) },
    title: { type: 'string' },
    status: { type: 'integer', minimum: 400, maximum: 599 },
    detail: { type: 'string' },
    instance: {
      type: 'string',
      description: 'The id of the request, as in X-Request-Id and in the log of the api.',
    },
    errors: { type: 'array', items: { $ref: '#/components/schemas/Fault' } },
  },
  additionalProperties: true,
};

export const faultSchema: Json = {
  type: 'object',
  description: 'One field that is not valid.',
  required: ['in', 'pointer', 'detail'],
  properties: {
    in: { type: 'string', enum: ['body', 'query', 'path', 'header'] },
    pointer: { type: 'string', description: 'JSON Pointer in URI fragment form (RFC 6901 section 6).' },
    detail: { type: 'string' },
    received: { description: 'The value that arrived, shortened. Secrets are not repeated.' },
    accepted: { description: 'The accepted values, where they are a short list or a limit.' },
  },
  additionalProperties: false,
};

export const responseHeaders: Json = {
  'X-Request-Id': {
    description: 'The id of the request: yours, if you sent one.',
    schema: { type: 'string' },
  },
  RateLimit: {
    description: 'Requests left in this minute (draft-ietf-httpapi-ratelimit-headers).',
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

export const idempotencyParameter: Json = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description:
    'Makes the request safe to repeat: the same key and body happen once and get the same answer, for 24 hours ' +
    'or until 24 hours after the scheduled time.',
  schema: { type: 'string', minLength: 1, maxLength: 256, pattern: '^[\\x21-\\x7e]+$' },
};

export const ifMatchParameter: Json = {
  name: 'If-Match',
  in: 'header',
  required: false,
  description: 'The ETag that was read: the change is refused with 412 when somebody else changed it since.',
  schema: { type: 'string' },
};
