// The identity provider: found by discovery, asked with a bound on time and size.
import * as client from 'openid-client';
import type { OidcSettings } from '../../../deploy/oidc.ts';

const timeoutSeconds = 10;
const clockToleranceSeconds = 60;
const mostAnswerBytes = 1_000_000;
const keptForMs = 3_600_000;

export type OidcProvider = {
  /** Where the browser is sent; what it must bring back. */
  begin(): Promise<{ readonly url: string; readonly checks: Checks }>;
  /** What the provider says of whoever came back. Both reject with a ProviderFailure. */
  finish(query: URLSearchParams, checks: Checks): Promise<Claims>;
};

export type Checks = { readonly state: string; readonly nonce: string; readonly verifier: string };

export type Claims = Readonly<Record<string, unknown>> & { readonly iss: string; readonly sub: string };

export function openOidcProvider(settings: OidcSettings, redirectUri: string): OidcProvider {
  let known: { readonly at: number; readonly configuration: Promise<client.Configuration> } | undefined;

  /** Read again after an hour, and at once after a failure. */
  function configuration(): Promise<client.Configuration> {
    if (!known || performance.now() - known.at > keptForMs) {
      const reading = discover(settings);
      known = { at: performance.now(), configuration: reading };
      reading.catch(() => {
        known = undefined;
      });
    }
    return known.configuration;
  }

  return withFailures({
    async begin() {
      const checks = {
        state: client.randomState(),
        nonce: client.randomNonce(),
        verifier: client.randomPKCECodeVerifier(),
      };
      const url = client.buildAuthorizationUrl(await configuration(), {
        redirect_uri: redirectUri,
        scope: settings.scopes,
        state: checks.state,
        nonce: checks.nonce,
        code_challenge: await client.calculatePKCECodeChallenge(checks.verifier),
        code_challenge_method: 'S256',
      });
      return { url: url.href, checks };
    },
    async finish(query, { state, nonce, verifier }) {
      const found = await configuration();
      const came = new URL(redirectUri);
      came.search = query.toString();
      const tokens = await client.authorizationCodeGrant(found, came, {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: verifier,
        idTokenExpected: true,
      });
      const claims = tokens.claims();
      if (!claims) throw new Error('The identity provider sent no ID token');
      // Some tell groups only there.
      const isTold = settings.roleClaim.split('.')[0] as string;
      if (isTold in claims || found.serverMetadata().userinfo_endpoint === undefined) return claims;
      return { ...(await client.fetchUserInfo(found, tokens.access_token, claims.sub)), ...claims };
    },
  });
}

/** Something went wrong between the provider and us: `cause` is what openid-client said. */
export class ProviderFailure extends Error {
  override readonly name = 'ProviderFailure';

  constructor(cause: unknown) {
    super('The identity provider did not sign somebody in', { cause });
  }
}

function withFailures({ begin, finish }: OidcProvider): OidcProvider {
  const fail = (cause: unknown): never => {
    throw new ProviderFailure(cause);
  };
  return {
    begin: () => begin().catch(fail),
    finish: (query, checks) => finish(query, checks).catch(fail),
  };
}

async function discover({ issuer, clientId, clientSecret }: OidcSettings): Promise<client.Configuration> {
  const isInsecure = issuer.startsWith('http:');
  return client.discovery(
    new URL(issuer),
    clientId,
    { client_secret: clientSecret, [client.clockTolerance]: clockToleranceSeconds },
    undefined,
    {
      timeout: timeoutSeconds,
      [client.customFetch]: boundedFetch,
      // The token comes from the provider itself over TLS; its signature is looked at all the same.
      execute: [
        client.enableNonRepudiationChecks,
        // Only for this machine (deploy/parse.ts).
        ...(isInsecure ? [client.allowInsecureRequests] : []),
      ],
    },
  );
}

/** Without following to elsewhere, and without holding more than an answer of this kind may have. */
const boundedFetch: client.CustomFetch = async (url, options) => {
  const response = await fetch(url, { ...options, redirect: 'manual' } as RequestInit);
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += (part as Uint8Array).byteLength;
    if (size > mostAnswerBytes) throw new Error('The identity provider answers with more than 1 MB');
    parts.push(Buffer.from(part as Uint8Array));
  }
  const { status, headers } = response;
  const mayHaveBody = ![204, 205, 304].includes(status);
  return new Response(mayHaveBody ? Buffer.concat(parts) : null, { status, headers });
};
