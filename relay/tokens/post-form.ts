// One POST to a token endpoint: bounded in time and bytes, over checked TLS, and never to where somebody else sends us.
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Form } from './token-request.ts';

export type FormAnswer = {
  readonly status: number;
  readonly body: string;
  readonly retryAfter: string | undefined;
  /** The endpoint's clock, in milliseconds since 1970. */
  readonly date: number | undefined;
};

const longestAnswer = 64 * 1_024;

/** @throws what the system, or TLS, says; a redirect is an answer like any other, and is not followed. */
export function postForm(
  url: string,
  form: Form,
  {
    authorities,
    timeoutMs,
    signal,
  }: { authorities: readonly string[]; timeoutMs: number; signal: AbortSignal },
): Promise<FormAnswer> {
  const body = new URLSearchParams(form).toString();
  const request = new URL(url).protocol === 'http:' ? httpRequest : httpsRequest;
  const tooLong = new AbortController();
  const timer = setTimeout(() => tooLong.abort(silence()), timeoutMs);
  const until = AbortSignal.any([signal, tooLong.signal]);
  return new Promise<FormAnswer>((resolve, reject) => {
    const sent = request(
      url,
      {
        method: 'POST',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          'content-length': Buffer.byteLength(body),
          accept: 'application/json',
        },
        // Of its own, so that nothing stays open between two requests an hour apart.
        agent: false,
        ca: [...authorities],
        minVersion: 'TLSv1.2',
        // Said by name, or NODE_TLS_REJECT_UNAUTHORIZED would decide it.
        rejectUnauthorized: true,
      },
      (response) => read(response).then(resolve, reject),
    );
    const abort = () => sent.destroy(until.reason);
    until.addEventListener('abort', abort);
    if (until.aborted) abort();
    sent.on('error', reject).end(body);
  }).finally(() => clearTimeout(timer));
}

async function read(response: IncomingMessage): Promise<FormAnswer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > longestAnswer) {
      response.destroy();
      throw new Error(`The answer is longer than ${longestAnswer} bytes`);
    }
    chunks.push(chunk);
  }
  const date = Date.parse(response.headers.date ?? '');
  return {
    status: response.statusCode ?? 0,
    body: Buffer.concat(chunks).toString('utf8'),
    retryAfter: response.headers['retry-after'],
    date: Number.isNaN(date) ? undefined : date,
  };
}

const silence = () =>
  Object.assign(new Error('The token endpoint did not answer in time'), { code: 'ETIMEDOUT' });
