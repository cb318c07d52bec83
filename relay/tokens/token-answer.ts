// What the token endpoint answered (RFC 6749 §5): a token, or why there is none. Pure. Words of the endpoint are kept
// short, and never hold what we sent.
import { tidy } from '../smtp/reply.ts';
import type { FormAnswer } from './post-form.ts';

export type TokenAnswer =
  | {
      readonly token: string;
      readonly livesSeconds: number;
      /** Takes the place of the one that was used. */
      readonly refreshToken: string | undefined;
    }
  | { readonly refusal: TokenRefusal };

export type TokenRefusal = {
  /** `error` of RFC 6749 §5.2; empty where the answer was none of a token endpoint. */
  readonly error: string;
  /** For people. */
  readonly says: string;
  readonly retryAfterSeconds: number | undefined;
};

/** RFC 6749 §5.1 lets an endpoint leave out how long a token lives; longer than a day none is trusted. */
const usualLife = 3_000;
const longestLife = 86_400;

const longestWords = 400;
const longestToken = 16 * 1_024;

/** @param secrets what we sent: an endpoint that repeats it must not bring it into a log */
export function readTokenAnswer(answer: FormAnswer, secrets: readonly string[]): TokenAnswer {
  const document = parse(answer.body);
  const refuse = (error: string, words: string): TokenAnswer => ({
    refusal: {
      error,
      says: withoutSecrets(tidy(words).slice(0, longestWords), secrets),
      retryAfterSeconds: secondsIn(answer.retryAfter),
    },
  });
  if (answer.status !== 200) {
    const { error, error_description: description } = document ?? {};
    const isOAuth = typeof error === 'string' && /^[\w.-]{1,80}$/.test(error);
    if (answer.status >= 400 && answer.status < 500 && answer.status !== 429 && isOAuth)
      return refuse(error, `${error}: ${typeof description === 'string' ? firstSentences(description) : ''}`);
    // Not its words: an error that passes says nothing about the settings.
    const why = answer.status >= 300 && answer.status < 400 ? ', a redirect' : '';
    return refuse('', `The token endpoint answered with status ${answer.status}${why}`);
  }
  const {
    access_token: token,
    expires_in: expiresIn,
    refresh_token: next,
    token_type: type,
  } = document ?? {};
  // RFC 6750 §2.1: nothing that could end a line or a field of SASL.
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token) || token.length > longestToken)
    return refuse('', 'The token endpoint answered without a usable access token');
  if (typeof type === 'string' && type.toLowerCase() !== 'bearer')
    return refuse('', 'The token endpoint gave a token of another type than Bearer');
  const seconds = expiresIn === undefined ? usualLife : Number(expiresIn);
  if (!(seconds > 0)) return refuse('', 'The token endpoint gave a token that has ended already');
  const isNext = typeof next === 'string' && /^[\x21-\x7e]+$/.test(next) && next.length <= longestToken;
  return {
    token,
    livesSeconds: Math.min(seconds, longestLife),
    refreshToken: isNext ? next : undefined,
  };
}

/** How far our clock is behind that of the endpoint; assertions fail beyond some minutes. */
export function secondsBehind({ date }: FormAnswer, nowMs: number): number | undefined {
  return date === undefined ? undefined : Math.round((date - nowMs) / 1_000);
}

function parse(body: string): Record<string, unknown> | undefined {
  try {
    const document: unknown = JSON.parse(body);
    return typeof document === 'object' && document !== null && !Array.isArray(document)
      ? (document as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Microsoft adds lines with ids; the trace id is what its support asks for. */
const firstSentences = (description: string) =>
  description.replaceAll(/\s+/g, ' ').replace(/ ?(?:Correlation ID|Timestamp): ?\S+(?: \S+Z)?/g, '');

/** RFC 9110 §10.2.3, in seconds; no date, and no more than a quarter of an hour. */
const secondsIn = (retryAfter: string | undefined) =>
  retryAfter !== undefined && /^\d{1,6}$/.test(retryAfter) ? Math.min(Number(retryAfter), 900) : undefined;

const withoutSecrets = (text: string, secrets: readonly string[]) =>
  secrets
    .filter((secret) => secret.length >= 4)
    .flatMap((secret) => [secret, encodeURIComponent(secret)])
    .reduce((rest, secret) => rest.replaceAll(secret, '***'), text);
