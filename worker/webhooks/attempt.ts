// One attempt to deliver one event.
import { guardedRequest } from '../../deploy/guarded-request.ts';
import type { AddressPolicy } from '../../deploy/public-address.ts';
import type { Attempted, ClaimedDelivery } from '../../relay/client/webhook/outgoing.ts';
import { signedHeaders } from './sign.ts';

const attemptMs = 15_000;
const answerBytes = 4_096;
/** An error in the answer of a server is not ours to keep whole. */
const errorCharacters = 500;

export type Attempt = Attempted & { readonly retryAfter: string | undefined };

/** Never rejects: that it failed is its result. */
export async function attempt(
  { id, url, type, at, data, secrets }: ClaimedDelivery,
  { policy, signal, userAgent }: { policy: AddressPolicy; signal: AbortSignal; userAgent: string },
): Promise<Attempt> {
  const body = JSON.stringify({ type, timestamp: at.toISOString(), data });
  const started = performance.now();
  const tookMs = () => Math.round(performance.now() - started);
  try {
    const answer = await guardedRequest(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'content-length': String(Buffer.byteLength(body)),
        'user-agent': userAgent,
        ...signedHeaders({ id, at: new Date(), body, secrets }),
      },
      body,
      policy,
      signal: AbortSignal.any([signal, AbortSignal.timeout(attemptMs)]),
      mostBytes: answerBytes,
    });
    const isGood = answer.status >= 200 && answer.status <= 299;
    return {
      answerStatus: answer.status,
      answer: storable(answer.body.toString('utf8')),
      error: isGood ? null : `It answered ${answer.status}${redirectOf(answer.status)}`,
      durationMs: tookMs(),
      retryAfter: answer.headers['retry-after'],
    };
  } catch (error) {
    return {
      answerStatus: null,
      answer: null,
      error: storable(wordsOf(error as Error)).slice(0, errorCharacters),
      durationMs: tookMs(),
      retryAfter: undefined,
    };
  }
}

const redirectOf = (status: number) =>
  status >= 300 && status <= 399 ? ': redirects are not followed, so give the endpoint its final URL' : '';

function wordsOf(error: Error): string {
  if (error.name === 'TimeoutError') return `No answer within ${attemptMs / 1_000} seconds`;
  // Several addresses were tried: the first says as much as any.
  const [first] = error instanceof AggregateError ? error.errors : [];
  return (first as Error | undefined)?.message ?? error.message;
}

/** PostgreSQL stores no NUL. */
const storable = (text: string) => text.replaceAll('\0', '\uFFFD').toWellFormed();
