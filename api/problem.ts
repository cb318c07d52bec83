// What can go wrong, for the caller: the closed list of problem types (RFC 9457) and their one translation to HTTP.
// openapi/ declares them, pages/reference.ts explains them at the address that `type` names.

/**
 * Every problem this API answers with. `title` never changes for a type; `detail` tells this occurrence;
 * `advice` is what its page says about it.
 */
export const problemTypes = {
  'malformed-json': {
    status: 400,
    title: 'The body is not valid JSON',
    advice: 'Send a body that is one JSON value in UTF-8.',
  },
  'malformed-request': {
    status: 400,
    title: 'The HTTP request is not valid',
    advice:
      'The URL, a header or the length of the body is not valid HTTP. Check the client and any proxy in between.',
  },
  unauthenticated: {
    status: 401,
    title: 'A valid API key is needed',
    advice:
      'Send `Authorization: Bearer KEY` with a key that exists, was not revoked and has not expired. API_KEY is the first one.',
  },
  forbidden: {
    status: 403,
    title: 'The scope of this key is not sufficient',
    advice:
      'The key is valid, but its scopes do not allow this. `needed` is the scope that does; in the dashboard, the role.',
  },
  'sender-not-allowed': {
    status: 403,
    title: 'This key may not send as this address',
    advice:
      '`allowed` lists the senders of the key. Use one of them, or let an administrator change the key: PATCH /api/v1/keys/{id}.',
  },
  'not-found': {
    status: 404,
    title: 'Not found',
    advice:
      'Check the URL and the id. Deleted objects, and objects removed after their retention, are not found either.',
  },
  'method-not-allowed': {
    status: 405,
    title: 'Method not allowed',
    advice: 'The `Allow` header lists the methods of this URL.',
  },
  'request-timeout': {
    status: 408,
    title: 'The request took too long to arrive',
    advice: 'Send the whole request within a minute.',
  },
  'customer-exists': {
    status: 409,
    title: 'A customer with this address exists',
    advice: '`customer_id` is the customer that has the address. Change that one, or use another address.',
  },
  'customer-account-exists': {
    status: 409,
    title: 'The application has a customer account',
    advice:
      '`ways_out` lists the requests that are possible: archive the application, or delete it together with an account that nobody has used.',
  },
  'customer-inactive': {
    status: 409,
    title: 'The customer is deactivated',
    advice: 'Reactivate the customer first.',
  },
  'application-state': {
    status: 409,
    title: 'The application is in another state',
    advice: '`current_status` is the state of the application. States only move forward.',
  },
  'invitation-accepted': {
    status: 409,
    title: 'The invitation was accepted already',
    advice: 'No action is needed: the owner is active and can sign in.',
  },
  'invitation-expired': {
    status: 409,
    title: 'The invitation has expired',
    advice: 'Send the invitation again: POST /api/customers/{id}/invitation.',
  },
  'invitation-revoked': {
    status: 409,
    title: 'The invitation was replaced or cancelled',
    advice: 'A newer invitation was sent, or the customer was deactivated. Use the newest link.',
  },
  'email-state': {
    status: 409,
    title: 'The email is in another status',
    advice:
      '`current_status` is the status of the email. An email that was sent, or may have been, cannot be cancelled.',
  },
  'webhook-disabled': {
    status: 409,
    title: 'The webhook is disabled',
    advice: 'Enable it first: PATCH /api/v1/webhooks/{id} with `{"enabled": true}`.',
  },
  'canary-unavailable': {
    status: 409,
    title: 'No test mail can be sent and read back now',
    advice:
      '`detail` says why: no mailbox is read (BOUNCE_IMAP), the domain has no full sender address, or the last one was sent less than ten minutes ago.',
  },
  'key-revoked': {
    status: 409,
    title: 'The key was revoked',
    advice: 'A revoked key stays revoked. Create another one: POST /api/v1/keys.',
  },
  'request-running': {
    status: 409,
    title: 'The same request is still running',
    advice: 'Wait for `Retry-After` and send the same request again: it then gets the answer of the first.',
  },
  'answer-was-secret': {
    status: 409,
    title: 'The answer to this request is shown only once',
    advice:
      'The first request succeeded, but its answer held a secret that is not stored. Revoke the object that it created and create another, with another Idempotency-Key.',
  },
  'precondition-failed': {
    status: 412,
    title: 'The object has changed since you read it',
    advice: 'Read it again and repeat the change with the new ETag in `If-Match`.',
  },
  'body-too-large': {
    status: 413,
    title: 'The body is too large',
    advice: '`limit` is the largest size in bytes that this operation accepts.',
  },
  'unsupported-media-type': {
    status: 415,
    title: 'The body is not JSON',
    advice: 'Send `Content-Type: application/json`, plain or with gzip, deflate or br.',
  },
  'invalid-fields': {
    status: 422,
    title: 'Some fields are not valid',
    advice: '`errors` lists every field that is not valid: where, why, what arrived and what is accepted.',
  },
  'idempotency-key-reused': {
    status: 422,
    title: 'The Idempotency-Key belongs to another request',
    advice: 'A key stands for one request. Use a new one for another body.',
  },
  'rate-limited': {
    status: 429,
    title: 'Too many requests',
    advice:
      'Wait for `Retry-After`. The `RateLimit` header of every answer says how many requests are left. With `span`, it is the limit of the key for recipients in an hour or a day.',
  },
  'test-email-failed': {
    status: 424,
    title: 'The test email was not sent',
    advice: '`stage` is where it failed, `cause` why, `fix` what to change.',
  },
  internal: {
    status: 500,
    title: 'Internal error',
    advice: 'A fault in Postern. The log of the api has the details under the request id in `instance`.',
  },
  'not-offered': {
    status: 501,
    title: 'Postern does not offer this',
    advice: '`detail` says what to use instead. Only the addresses under /resend answer so.',
  },
  busy: {
    status: 503,
    title: 'Too many large requests at once',
    advice:
      'The memory for large bodies is in use. Nothing of this request was stored. Wait for `Retry-After` and send it again.',
  },
  'database-unavailable': {
    status: 503,
    title: 'The database is unavailable',
    advice:
      'The request may not have been carried out. Wait for `Retry-After` and send it again, with an Idempotency-Key if it creates something.',
  },
} as const satisfies Record<string, { status: number; title: string; advice: string }>;

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
 * error-answer.ts turns it into the answer. Everything in it is shown to the caller.
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
