// Why a sign-in by OpenID Connect failed, and what to do about it, in the words of whoever has to do it.
import * as client from 'openid-client';

export type OidcFailure = {
  /** For the log. */
  readonly name: string;
  readonly title: string;
  /** What was heard, as it was said. */
  readonly detail: string;
  readonly fix: string;
};

type Asked = { readonly issuer: string; readonly redirectUri: string };

/** Of whatever openid-client threw. */
export function failureOf(error: unknown, asked: Asked): OidcFailure {
  if (error instanceof client.AuthorizationResponseError) return refused(error, asked);
  if (error instanceof client.ResponseBodyError) return refusedToken(error, asked);
  const { code = '', message = '' } = (error ?? {}) as { code?: string; message?: string };
  const said = `${message}${causeIn(error)}`;
  const known = byCode(code, said, asked);
  if (known) return known;
  return {
    name: 'oidc-unreachable',
    title: 'The identity provider does not answer',
    detail: said,
    fix: `Open ${asked.issuer}/.well-known/openid-configuration from where the api runs. Check OIDC_ISSUER, DNS and the firewall. Sign in with a password meanwhile.`,
  };
}

const again = 'Start again from the sign-in page.';

function refused({ error, error_description: words }: client.AuthorizationResponseError, _: Asked) {
  return {
    name: 'oidc-refused',
    title: 'The identity provider refused the sign-in',
    detail: [error, words].filter(Boolean).join(': '),
    fix: 'Ask whoever runs it to give you access to this application, then start again.',
  };
}

function refusedToken(
  { error, error_description: words }: client.ResponseBodyError,
  { redirectUri }: Asked,
): OidcFailure {
  const detail = [error, words].filter(Boolean).join(': ');
  if (error === 'invalid_client' || error === 'unauthorized_client')
    return {
      name: 'oidc-client',
      title: 'The identity provider does not accept Postern as its client',
      detail,
      fix: 'Check OIDC_CLIENT_ID and OIDC_CLIENT_SECRET of the api: the value of the secret, not its id, and not expired. Then restart the api.',
    };
  return {
    name: 'oidc-code',
    title: 'The identity provider does not accept the code of this sign-in',
    detail,
    fix: `${again} If it stays so, register exactly ${redirectUri} as redirect URI.`,
  };
}

function byCode(code: string, said: string, { issuer }: Asked): OidcFailure | undefined {
  if (code === 'OAUTH_JWT_TIMESTAMP_CHECK_FAILED')
    return {
      name: 'oidc-clock',
      title: 'The ID token is not valid at this time',
      detail: said,
      fix: 'Check the clock of the machine of the api, and of the identity provider (NTP), then start again.',
    };
  if (/SIGNATURE|KEY_SELECTION|UNSUPPORTED/.test(code) || /signature/i.test(said))
    return {
      name: 'oidc-signature',
      title: 'The signature of the ID token cannot be verified',
      detail: said,
      fix: `${again} If it stays so, the identity provider does not publish the key that it signs with.`,
    };
  if (code === 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED' && !said.includes('"sub"'))
    return {
      name: 'oidc-issuer',
      title: 'The identity provider calls itself otherwise',
      detail: said,
      fix: `OIDC_ISSUER of the api is ${issuer}. It must be the "issuer" of its discovery document, letter by letter.`,
    };
  if (
    /^OAUTH_(?:JWT_CLAIM_COMPARISON_FAILED|INVALID_RESPONSE|JSON_ATTRIBUTE_COMPARISON_FAILED)$/.test(code)
  ) {
    const claim = /"?(aud|iss|nonce|azp)"?/.exec(said)?.[1];
    const fixes: Readonly<Record<string, string>> = {
      aud: 'The token is for another client: check OIDC_CLIENT_ID of the api.',
      azp: 'The token is for another client: check OIDC_CLIENT_ID of the api.',
      iss: `The token is of another issuer than ${issuer}: check OIDC_ISSUER of the api.`,
    };
    return {
      name: `oidc-${claim ?? 'answer'}`,
      title: 'The answer of the identity provider does not belong to this sign-in',
      detail: said,
      fix:
        fixes[claim ?? ''] ??
        `${again} If it stays so, somebody may be interfering, or a proxy changes the address.`,
    };
  }
  if (code === 'OAUTH_RESPONSE_IS_NOT_CONFORM' || code === 'OAUTH_RESPONSE_IS_NOT_JSON')
    return {
      name: 'oidc-discovery',
      title: 'There is no identity provider at this address',
      detail: said,
      fix: `Check OIDC_ISSUER of the api: ${issuer}/.well-known/openid-configuration must answer with JSON.`,
    };
  return undefined;
}

/** The error below it says which host or which claim. */
function causeIn(error: unknown): string {
  const { cause } = (error ?? {}) as { cause?: unknown };
  if (cause === undefined || cause === null) return '';
  if (cause instanceof Error) return ` (${cause.message || (cause as { code?: string }).code})`;
  const { claim } = cause as { claim?: unknown };
  return typeof claim === 'string' ? ` ("${claim}")` : '';
}
