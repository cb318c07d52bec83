// What can go wrong, for the caller: the closed list of problem types (RFC 9457) and their one translation to HTTP.
// openapi.ts declares them, docs.ts explains them at the address that `type` names.

/** Every problem this API answers with. `title` never changes for a type; `detail` tells this occurrence. */
export const problemTypes = {
  'malformed-json': { status: 400, title: 'The body is not valid JSON' },
  'malformed-request': { status: 400, title: 'The request itself cannot be read' },
  unauthenticated: { status: 401, title: 'A valid API key is needed' },
  forbidden: { status: 403, title: 'This key may not do that' },
  'not-found': { status: 404, title: 'There is no such thing' },
  'method-not-allowed': { status: 405, title: 'This address does not know that method' },
  'request-timeout': { status: 408, title: 'The request took too long to arrive' },
  'customer-exists': { status: 409, title: 'A customer with this address exists' },
  'customer-account-exists': { status: 409, title: 'The application has a customer account' },
  'customer-inactive': { status: 409, title: 'The customer is deactivated' },
  'application-state': { status: 409, title: 'The application is past that step' },
  'invitation-accepted': { status: 409, title: 'The invitation was accepted already' },
  'invitation-expired': { status: 409, title: 'The invitation has expired' },
  'invitation-revoked': { status: 409, title: 'The invitation was replaced or withdrawn' },
  'email-state': { status: 409, title: 'The mail is past that step' },
  'request-running': { status: 409, title: 'The same request is still running' },
  'answer-was-secret': { status: 409, title: 'The answer to this request is not told twice' },
  'precondition-failed': { status: 412, title: 'It has changed since you read it' },
  'body-too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'The body is not JSON' },
  'invalid-fields': { status: 422, title: 'Some fields are not acceptable' },
  'idempotency-key-reused': { status: 422, title: 'The Idempotency-Key belongs to another request' },
  'rate-limited': { status: 429, title: 'Too many requests' },
  'test-email-failed': { status: 502, title: 'The test mail did not leave' },
  internal: { status: 500, title: 'Internal error' },
  'database-unavailable': { status: 503, title: 'The database is away' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemType = keyof typeof problemTypes;

/** One field at fault: where, what is wrong, what arrived (shortened) and what would be accepted. */
export type Fault = {
  in: 'body' | 'query' | 'path' | 'header';
  /** A JSON Pointer in URI fragment form (RFC 6901 section 6), as in RFC 9457's own examples. */
  pointer: string;
  detail: string;
  received?: unknown;
  accepted?: unknown;
};

type Particulars = {
  errors?: readonly Fault[];
  headers?: Readonly<Record<string, string>>;
  /** Members of this type of problem, such as the id of the customer that exists. */
  members?: Readonly<Record<string, unknown>>;
};

/**
 * Thrown by whoever finds that a request cannot be fulfilled, so that an open transaction rolls back;
 * app.ts turns it into the answer. Everything in it is shown to the caller.
 */
export class Problem extends Error {
  readonly type: ProblemType;
  readonly errors: readonly Fault[] | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly members: Readonly<Record<string, unknown>>;

  constructor(type: ProblemType, detail: string, { errors, headers = {}, members = {} }: Particulars = {}) {
    super(detail);
    this.name = 'Problem';
    this.type = type;
    this.errors = errors;
    this.headers = headers;
    this.members = members;
  }
}

/** The body of `application/problem+json`. `instance` is the request's id, for the log. */
export function problemDocument(problem: Problem, requestId: string): Record<string, unknown> {
  const { status, title } = problemTypes[problem.type];
  return {
    type: `/problems/${problem.type}`,
    title,
    status,
    detail: problem.message,
    instance: `/requests/${encodeURIComponent(requestId)}`,
    ...(problem.errors && { errors: problem.errors }),
    ...problem.members,
  };
}
