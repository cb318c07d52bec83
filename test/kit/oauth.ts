// A token endpoint as Microsoft and Google have one (RFC 6749, RFC 7523, RFC 8628): it behaves well until a test tells
// it otherwise, and remembers what it was asked. It knows which tokens a mail server may take.
//
//   await using oauth = await startOAuth();
//   oauth.next({ status: 503, body: 'busy' });
//   await using provider = await startProvider({ bearer: oauth });
import { constants, createPublicKey, randomBytes, verify, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { keepToken } from './secrets.ts';

/** What it does with the next request instead of the usual. */
export type TokenReaction =
  | { readonly status: number; readonly body: string; readonly headers?: Readonly<Record<string, string>> }
  | { readonly kind: 'hang' | 'drop' | 'endless' }
  | { readonly kind: 'delay'; readonly ms: number };

export type TokenRequest = {
  readonly path: string;
  readonly at: number;
  readonly form: Readonly<Record<string, string>>;
};

export type OAuthWishes = {
  readonly style?: 'microsoft' | 'google';
  readonly clientId?: string;
  readonly clientSecret?: string;
  /** PEM; the client proves itself by an assertion instead of a secret. */
  readonly clientCertificate?: string;
  readonly serviceAccount?: { readonly email: string; readonly publicKey: string };
  readonly refreshToken?: string;
  /** Whom its tokens are for; a token of the application is for everybody. */
  readonly user?: string;
  readonly tls?: { readonly key: string; readonly cert: string };
  readonly port?: number;
};

export type OAuthServer = AsyncDisposable & {
  readonly tokenUrl: string;
  readonly deviceUrl: string;
  /** RFC 7662, for a mail server that asks for itself; it tells the user of the wishes. */
  readonly introspectionUrl: string;
  readonly port: number;
  readonly requests: readonly TokenRequest[];
  /** Access tokens in the order in which they were given out. */
  readonly issued: readonly string[];
  /** How long a token lives, in seconds, as the server says and as it means it. */
  lifeSeconds: number;
  /** How the answer spells it: as a number, as a string, or not at all. */
  lifeAs: 'number' | 'string' | 'missing';
  /** Whether every refresh gives a new refresh token: not (Google), with the old one valid (Microsoft), or once only. */
  rotation: 'none' | 'old stays' | 'once';
  /** How far the clock of this server is ahead. */
  aheadMs: number;
  /** Tokens from now on are not good for mail: wrong scope or audience. */
  wrongScope: boolean;
  /** Who asks by introspection hears that no token is valid. */
  introspectionDenies: boolean;
  /** The refresh tokens that are valid. */
  readonly refreshTokens: Set<string>;
  /** The secrets of the client that are valid. */
  readonly clientSecrets: Set<string>;
  /** A person has to confirm a device code: how many polls until then. */
  pollsUntilConfirmed: number;
  next(reaction: TokenReaction, times?: number): void;
  /** Ends what is planned: behaves well again. */
  behave(): void;
  /** All access tokens end now. */
  expireTokens(): void;
  /** Somebody took the permission back: no refresh token and no access token is valid. */
  revoke(): void;
  shut(): Promise<void>;
  open(): Promise<void>;
  /** What a mail server asks. */
  accepts(user: string, token: string): boolean;
};

type Denied = {
  readonly status: number;
  readonly error: string;
  readonly description: string;
  readonly code?: number;
};

// Long because all of it is one server whose parts share what was issued.
export async function startOAuth(wishes: OAuthWishes = {}): Promise<OAuthServer> {
  const { style = 'microsoft', clientId = '11111111-2222-3333-4444-555555555555', user } = wishes;
  const clientSecrets = new Set([wishes.clientSecret ?? 'invented~client.secret']);
  const refreshTokens = new Set([wishes.refreshToken ?? 'invented-refresh-token-0']);
  const requests: TokenRequest[] = [];
  const issued: string[] = [];
  const valid = new Map<string, { endsAt: number; forMail: boolean }>();
  const assertions = new Set<string>();
  const sockets = new Set<Socket>();
  let planned: { reaction: TokenReaction; times: number }[] = [];
  let port = wishes.port ?? 0;
  const device = 'invented-device-code';

  const settings = {
    lifeSeconds: 3_599,
    lifeAs: 'number' as OAuthServer['lifeAs'],
    rotation: (style === 'google' ? 'none' : 'old stays') as OAuthServer['rotation'],
    aheadMs: 0,
    wrongScope: false,
    introspectionDenies: false,
    pollsUntilConfirmed: 1,
  };
  const now = () => Date.now() + settings.aheadMs;

  const take = (): TokenReaction | undefined => {
    const [first] = planned;
    if (!first) return undefined;
    first.times--;
    if (first.times <= 0) planned = planned.slice(1);
    return first.reaction;
  };

  const deny = (status: number, error: string, description: string, code?: number): Denied => ({
    status,
    error,
    description,
    ...(code !== undefined && { code }),
  });

  /** RFC 7523: who signed, for whom, and when; each once. */
  const signedBy = (
    jwt: string,
    pem: string,
    expected: { iss: string; aud: string; alg: 'PS256' | 'RS256'; thumbprint?: string },
  ): Denied | undefined => {
    const [head = '', payload = '', signature = ''] = jwt.split('.');
    const read = (part: string) =>
      JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
    const [header, claims] = [read(head), read(payload)];
    const key = {
      key: createPublicKey(pem),
      ...(expected.alg === 'PS256' && { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }),
    };
    const isSigned = verify(
      'sha256',
      Buffer.from(`${head}.${payload}`),
      key,
      Buffer.from(signature, 'base64url'),
    );
    if (header.alg !== expected.alg || !isSigned || header['x5t#S256'] !== expected.thumbprint)
      return style === 'google'
        ? deny(400, 'invalid_grant', 'Invalid JWT Signature.')
        : deny(401, 'invalid_client', 'AADSTS700027: Client assertion failed signature validation.', 700027);
    const seconds = now() / 1_000;
    const isTimely = Number(claims.exp) > seconds && Number(claims.nbf ?? claims.iat) <= seconds + 60;
    if (!isTimely)
      return style === 'google'
        ? deny(
            400,
            'invalid_grant',
            'Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.',
          )
        : deny(
            401,
            'invalid_client',
            'AADSTS700024: Client assertion is not within its valid time range.',
            700024,
          );
    if (claims.iss !== expected.iss || claims.aud !== expected.aud)
      return deny(400, 'invalid_grant', 'Invalid JWT: wrong issuer or audience.');
    if (expected.alg === 'PS256' && (typeof claims.jti !== 'string' || assertions.has(claims.jti)))
      return deny(401, 'invalid_client', 'AADSTS70002: the assertion was used before.', 70002);
    assertions.add(String(claims.jti ?? ''));
    if (style === 'google' && user !== undefined && claims.sub !== user)
      return deny(400, 'invalid_grant', 'Invalid email or User ID');
    return undefined;
  };

  const clientIsWrong = (form: Record<string, string>): Denied | undefined => {
    if (form.client_id !== clientId)
      return style === 'google'
        ? deny(401, 'invalid_client', 'The OAuth client was not found.')
        : deny(
            400,
            'unauthorized_client',
            `AADSTS700016: Application with identifier '${form.client_id}' was not found in the directory 'Acme'.`,
            700016,
          );
    if (wishes.clientCertificate) {
      const thumbprint = Buffer.from(
        new X509Certificate(wishes.clientCertificate).fingerprint256.replaceAll(':', ''),
        'hex',
      ).toString('base64url');
      return signedBy(
        form.client_assertion ?? '',
        new X509Certificate(wishes.clientCertificate).publicKey
          .export({ type: 'spki', format: 'pem' })
          .toString(),
        {
          iss: clientId,
          aud: server.tokenUrl,
          alg: 'PS256',
          thumbprint,
        },
      );
    }
    return clientSecrets.has(form.client_secret ?? '')
      ? undefined
      : deny(
          401,
          'invalid_client',
          'AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app.',
          7000215,
        );
  };

  const grantIsWrong = (form: Record<string, string>): Denied | undefined => {
    switch (form.grant_type) {
      case 'client_credentials':
        return (
          clientIsWrong(form) ??
          (form.scope?.endsWith('/.default')
            ? undefined
            : deny(
                400,
                'invalid_scope',
                `AADSTS1002012: The provided value for scope ${form.scope} is not valid.`,
                1002012,
              ))
        );
      case 'refresh_token': {
        const wrong = clientIsWrong(form);
        if (wrong) return wrong;
        if (refreshTokens.has(form.refresh_token ?? '')) return undefined;
        return style === 'google'
          ? deny(400, 'invalid_grant', 'Token has been expired or revoked.')
          : deny(
              400,
              'invalid_grant',
              'AADSTS50173: The provided grant has expired due to it being revoked, a fresh auth token is needed.',
              50173,
            );
      }
      case 'urn:ietf:params:oauth:grant-type:jwt-bearer':
        return wishes.serviceAccount
          ? signedBy(form.assertion ?? '', wishes.serviceAccount.publicKey, {
              iss: wishes.serviceAccount.email,
              aud: server.tokenUrl,
              alg: 'RS256',
            })
          : deny(
              401,
              'unauthorized_client',
              'Client is unauthorized to retrieve access tokens using this method.',
            );
      case 'urn:ietf:params:oauth:grant-type:device_code':
        if (form.device_code !== device) return deny(400, 'bad_verification_code', 'AADSTS70018', 70018);
        return settings.pollsUntilConfirmed-- > 0
          ? deny(400, 'authorization_pending', 'AADSTS70016: pending', 70016)
          : undefined;
      case 'authorization_code':
        return clientIsWrong(form);
      default:
        return deny(400, 'unsupported_grant_type', 'AADSTS70003');
    }
  };

  const answer = (response: ServerResponse, status: number, body: object, headers: object = {}) => {
    response.writeHead(status, {
      'content-type': 'application/json',
      date: new Date(now()).toUTCString(),
      ...headers,
    });
    response.end(JSON.stringify(body));
  };

  const grant = (form: Record<string, string>): object => {
    const token = `invented.${randomBytes(24).toString('base64url')}`;
    issued.push(token);
    keepToken(token);
    valid.set(token, {
      endsAt: performance.now() + settings.lifeSeconds * 1_000,
      forMail: !settings.wrongScope,
    });
    const isRefresh = form.grant_type === 'refresh_token';
    const isFirst = /device_code|authorization_code/.test(form.grant_type ?? '');
    const next =
      isFirst || (isRefresh && settings.rotation !== 'none')
        ? `invented-refresh-${randomBytes(12).toString('hex')}`
        : undefined;
    if (next) {
      refreshTokens.add(next);
      keepToken(next);
    }
    if (isRefresh && settings.rotation === 'once') refreshTokens.delete(form.refresh_token ?? '');
    return {
      token_type: 'Bearer',
      access_token: token,
      ...(settings.lifeAs === 'number' && { expires_in: settings.lifeSeconds }),
      ...(settings.lifeAs === 'string' && { expires_in: String(settings.lifeSeconds) }),
      ...(next && { refresh_token: next }),
    };
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const path = new URL(request.url ?? '/', 'http://here').pathname;
    const form = Object.fromEntries(new URLSearchParams(text));
    if (path === '/introspect') {
      const active = !settings.introspectionDenies && server.accepts(user ?? '', form.token ?? '');
      return answer(response, 200, { active, ...(active && { username: user }) });
    }
    requests.push({ path, at: Date.now(), form });
    const reaction = take();
    if (reaction && 'status' in reaction) {
      response.writeHead(reaction.status, { 'content-type': 'application/json', ...reaction.headers });
      return void response.end(reaction.body);
    }
    if (reaction?.kind === 'hang') return;
    if (reaction?.kind === 'drop') return void request.socket.destroy();
    if (reaction?.kind === 'endless') {
      response.writeHead(200, { 'content-type': 'application/json' });
      while (!response.destroyed) {
        response.write(' '.repeat(65_536));
        await pause(1);
      }
      return;
    }
    if (reaction?.kind === 'delay') await pause(reaction.ms, undefined, { ref: false });
    if (!/^application\/x-www-form-urlencoded/.test(request.headers['content-type'] ?? ''))
      return answer(response, 400, { error: 'invalid_request', error_description: 'AADSTS900144' });
    if (path === '/devicecode')
      return answer(response, 200, {
        device_code: device,
        user_code: 'ABCD-EFGH',
        verification_uri: 'https://login.example.com/device',
        expires_in: 900,
        interval: 1,
        message: 'Open the page and type the code.',
      });
    const denied = grantIsWrong(form);
    if (!denied) return answer(response, 200, grant(form));
    const { status, error, description, code } = denied;
    answer(response, status, {
      error,
      error_description: `${description}${style === 'microsoft' ? ' Trace ID: 00000000-aaaa-bbbb-cccc-000000000000 Timestamp: 2026-01-01 00:00:00Z' : ''}`,
      ...(code !== undefined && { error_codes: [code], trace_id: '00000000-aaaa-bbbb-cccc-000000000000' }),
    });
  };

  const receive = (request: IncomingMessage, response: ServerResponse) => void serve(request, response);
  let listener: ReturnType<typeof createServer> | undefined;
  const open = async () => {
    listener = wishes.tls ? createTlsServer(wishes.tls, receive) : createServer(receive);
    listener.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    listener.listen(port, '127.0.0.1');
    await once(listener, 'listening');
    port = (listener.address() as AddressInfo).port;
  };
  const shut = async () => {
    if (!listener) return;
    const closed = once(listener, 'close');
    listener.close();
    for (const socket of sockets) socket.destroy();
    listener = undefined;
    await closed;
  };
  await open();
  const base = `${wishes.tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  const server: OAuthServer = Object.assign(settings, {
    tokenUrl: `${base}/token`,
    deviceUrl: `${base}/devicecode`,
    introspectionUrl: `${base}/introspect`,
    port,
    requests,
    issued,
    refreshTokens,
    clientSecrets,
    next: (reaction: TokenReaction, times = 1) => void planned.push({ reaction, times }),
    behave: () => {
      planned = [];
    },
    expireTokens: () => valid.clear(),
    revoke: () => {
      valid.clear();
      refreshTokens.clear();
    },
    shut,
    open,
    accepts: (name: string, token: string) => {
      const known = valid.get(token);
      return (
        known?.forMail === true && performance.now() < known.endsAt && (user === undefined || name === user)
      );
    },
    [Symbol.asyncDispose]: shut,
  });
  return server;
}
