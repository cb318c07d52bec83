// The device code flow (RFC 8628): a person confirms a code in any browser, and this process asks until it is done.
import { setTimeout as pause } from 'node:timers/promises';
import type { OAuth2Reading } from '../../deploy/oauth2.ts';
import { postForm } from './post-form.ts';
import { readTokenAnswer } from './token-answer.ts';
import { clientProof } from './token-request.ts';

export type Permission = { readonly refreshToken: string } | { readonly refusal: string };

type Asking = { readonly authorities: readonly string[]; readonly signal: AbortSignal };

const timeoutMs = 15_000;

/** @param show tells the person where to type what */
export async function askByDevice(
  oauth2: OAuth2Reading,
  { authorities, signal }: Asking,
  show: (page: string, code: string) => void,
): Promise<Permission> {
  const post = (url: string, form: Readonly<Record<string, string>>) =>
    postForm(url, form, { authorities, timeoutMs, signal });
  const proof = clientProof(oauth2, Date.now());
  const { client_id: clientId = '' } = proof;
  const begun = await post(oauth2.tokenUrl.replace(/\/token$/, '/devicecode'), {
    client_id: clientId,
    scope: oauth2.scope,
  });
  const device = begun.status === 200 ? (JSON.parse(begun.body) as Record<string, unknown>) : undefined;
  const { device_code: code, user_code: userCode, verification_uri: page } = device ?? {};
  if (typeof code !== 'string' || typeof userCode !== 'string' || typeof page !== 'string')
    return {
      refusal: saysIn(readTokenAnswer({ ...begun, status: begun.status === 200 ? 502 : begun.status }, [])),
    };
  show(page, userCode);

  let seconds = Math.min(Math.max(Number(device?.interval) || 5, 1), 60);
  const until = performance.now() + Math.min(Number(device?.expires_in) || 900, 1_800) * 1_000;
  while (performance.now() < until) {
    await pause(seconds * 1_000, undefined, { signal });
    const answer = readTokenAnswer(
      await post(oauth2.tokenUrl, {
        grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
        device_code: code,
        ...clientProof(oauth2, Date.now()),
      }),
      Object.values(proof),
    );
    if (!('refusal' in answer)) return granted(answer.refreshToken);
    if (answer.refusal.error === 'slow_down') seconds += 5;
    else if (answer.refusal.error !== 'authorization_pending') return { refusal: answer.refusal.says };
  }
  return { refusal: 'The code was not confirmed in time' };
}

/** Without one nothing could be renewed after an hour. */
export const granted = (refreshToken: string | undefined): Permission =>
  refreshToken === undefined
    ? { refusal: 'An access token was given, but no refresh token: the scope needs offline access' }
    : { refreshToken };

export const saysIn = (answer: ReturnType<typeof readTokenAnswer>) =>
  'refusal' in answer ? answer.refusal.says : 'An answer that is none';
