// One POST to a receiver that the operator named. Not `fetch`, which leaves it to NODE_TLS_REJECT_UNAUTHORIZED whether a
// certificate is checked.
import { request as requestInClear } from 'node:http';
import { request as requestInTls } from 'node:https';

/**
 * Redirects are not followed: it goes where the operator said, not where somebody sends it on to.
 *
 * @returns the status that was answered
 */
export function post(
  url: string,
  { headers, body, signal }: { headers: Record<string, string>; body: string; signal: AbortSignal },
): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = url.startsWith('https:') ? requestInTls : requestInClear;
    request(url, { method: 'POST', headers, signal, agent: false, rejectUnauthorized: true })
      .on('response', (response) => {
        response.destroy();
        resolve(response.statusCode ?? 0);
      })
      .on('error', reject)
      .end(body);
  });
}
