// What is asked of the token endpoint, for each grant. Pure, but for the clock that is given and the assertion's number.
import type { OAuth2Reading } from '../../deploy/oauth2.ts';
import { clientAssertion, serviceAccountAssertion } from './assertion.ts';

export type Form = Readonly<Record<string, string>>;

/** @param refreshToken the newest that is known; only for its grant */
export function tokenRequest(
  oauth2: OAuth2Reading,
  { user, refreshToken, nowMs }: { user: string; refreshToken: string | undefined; nowMs: number },
): Form {
  const { grant, provider, scope, tokenUrl, serviceAccount } = oauth2;
  if (serviceAccount) {
    return {
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion: serviceAccountAssertion(serviceAccount, { mailbox: user, scope, tokenUrl, nowMs }),
    };
  }
  if (grant === 'client-credentials')
    return { grant_type: 'client_credentials', scope, ...clientProof(oauth2, nowMs) };
  return {
    grant_type: 'refresh_token',
    refresh_token: refreshToken ?? '',
    // Microsoft's authority for consumers refuses a refresh without one; Google takes what was allowed.
    ...(provider !== 'google' && scope !== '' && { scope }),
    ...clientProof(oauth2, nowMs),
  };
}

/** Who asks: by secret, by certificate, or, as a public client, by name only. */
export function clientProof(
  { clientId = '', clientSecret, certificate, tokenUrl }: OAuth2Reading,
  nowMs: number,
): Form {
  return {
    client_id: clientId,
    ...(clientSecret !== undefined && { client_secret: clientSecret }),
    ...(certificate && {
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: clientAssertion(certificate, { clientId, tokenUrl, nowMs }),
    }),
  };
}
