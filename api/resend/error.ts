// A problem in the shape of the client's errors: `{statusCode, name, message}`, with the members of the problem beside.
import { type Fault, type Problem, type ProblemType, problemDocument, problemTypes } from '../problem.ts';

/** What stands here instead of this room's operations. */
export const isOfClient = (path: string): boolean => /^\/resend(?:\/|$)/.test(path);

type Name = readonly [name: string, status?: number];

/** What the client documents for them; where it says another status than ours, its own. */
const names: Partial<Record<ProblemType, Name>> = {
  forbidden: ['restricted_api_key', 401],
  'sender-not-allowed': ['invalid_from_address', 403],
  'not-found': ['not_found'],
  'method-not-allowed': ['method_not_allowed'],
  'idempotency-key-reused': ['invalid_idempotent_request', 409],
  'request-running': ['concurrent_idempotent_requests'],
  'rate-limited': ['rate_limit_exceeded'],
  internal: ['internal_server_error'],
};

export function clientError(
  problem: Problem,
  requestId: string,
): { readonly status: number; readonly body: Readonly<Record<string, unknown>> } {
  const [name, status = problemTypes[problem.type].status] = nameOf(problem);
  return {
    status,
    body: {
      statusCode: status,
      name,
      message: messageOf(problem),
      ...problemDocument(problem, requestId),
      status,
    },
  };
}

function nameOf(problem: Problem): Name {
  if (problem.type === 'unauthenticated') {
    const isWrong = problem.headers['www-authenticate']?.includes('invalid_token');
    return isWrong ? ['invalid_api_key', 403] : ['missing_api_key'];
  }
  if (problem.type === 'invalid-fields') return nameOfFaults(problem.errors ?? []);
  if (problem.type === 'rate-limited' && problem.members.span === 'day') return ['daily_quota_exceeded'];
  const { status } = problemTypes[problem.type];
  return names[problem.type] ?? [status >= 500 ? 'application_error' : 'validation_error'];
}

function nameOfFaults(faults: readonly Fault[]): Name {
  const all = (holds: (fault: Fault) => boolean) => faults.length > 0 && faults.every(holds);
  if (all((fault) => fault.in === 'header')) return ['invalid_idempotency_key', 400];
  if (all((fault) => fault.in === 'query')) return ['invalid_parameter'];
  if (all(({ pointer, detail }) => pointer.endsWith('/from') && detail.includes('not an allowed sender')))
    return ['invalid_from_address', 403];
  if (all(({ detail }) => /^(?:is required|needs at least one)/.test(detail)))
    return ['missing_required_field'];
  if (all(({ pointer }) => /^#(?:\/\d+)?\/attachments\b/.test(pointer))) return ['invalid_attachment'];
  return ['validation_error'];
}

const mostNamed = 10;

/** The client shows nothing but this, so it says of every field what is wrong with it. */
export function messageOf({ message, errors = [] }: Pick<Problem, 'message' | 'errors'>): string {
  if (errors.length === 0) return message;
  const named = errors.slice(0, mostNamed).map(sentenceOf);
  const more = errors.length - named.length;
  const all = `${named.join('; ')}${more > 0 ? `; and ${more} more` : ''}.`;
  return errors.length === 1 ? all : `${errors.length} fields are not valid: ${all}`;
}

function sentenceOf({ in: place, pointer, detail, accepted }: Fault): string {
  const said = `${pointer === '#' ? `The ${place}` : pointer.slice(2)} ${detail}`;
  if (!Array.isArray(accepted) || !detail.includes('not an allowed sender')) return said;
  return `${said}; allowed are ${accepted.slice(0, mostNamed).join(', ')}`;
}
