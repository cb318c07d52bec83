// The part of a provider's settings that says how to get an access token instead of using a password.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ServiceAccount } from './parse.ts';
import type { Reading } from './reading.ts';
import type { VariableName } from './variables.ts';

export type OAuth2Reading = {
  readonly provider: 'microsoft' | 'google' | 'custom';
  readonly grant: 'client-credentials' | 'refresh-token' | 'service-account';
  readonly tokenUrl: string;
  /** Empty where the endpoint knows it from the refresh token. */
  readonly scope: string;
  readonly tenant?: string;
  readonly clientId?: string;
  readonly clientSecret?: string;
  /** PEM. */
  readonly certificate?: { readonly cert: string; readonly key: string };
  readonly refreshToken?: string;
  readonly serviceAccount?: ServiceAccount;
};

type Prefix = 'SMTP' | 'SMTP2';

const keys = [
  'PROVIDER',
  'TENANT',
  'CLIENT_ID',
  'CLIENT_SECRET',
  'CLIENT_CERT_FILE',
  'CLIENT_KEY_FILE',
  'REFRESH_TOKEN',
  'SERVICE_ACCOUNT',
  'TOKEN_URL',
  'SCOPE',
] as const;
type Key = (typeof keys)[number];

const nameOf = <K extends Key>(prefix: Prefix, key: K) => `${prefix}_OAUTH2_${key}` as const;

/** What SMTP_AUTH=oauth2 needs instead of a password and does not have, by canonical names. */
export function missingForOAuth2(reading: Reading, prefix: Prefix): VariableName[] {
  const isMissing = (key: Key) => reading.isMissing(nameOf(prefix, key));
  const provider = reading.optional(nameOf(prefix, 'PROVIDER'));
  const hasAccount = !isMissing('SERVICE_ACCOUNT');
  const hasRefreshToken = !isMissing('REFRESH_TOKEN');
  const hasCertificate = !isMissing('CLIENT_CERT_FILE') || !isMissing('CLIENT_KEY_FILE');
  const required: Key[] = [
    'PROVIDER',
    ...(provider === 'microsoft' && !hasRefreshToken ? (['TENANT'] as const) : []),
    // A service account is its own identity.
    ...(hasAccount ? [] : (['CLIENT_ID'] as const)),
    ...(hasCertificate || hasRefreshToken || hasAccount ? [] : (['CLIENT_SECRET'] as const)),
    ...(hasCertificate ? (['CLIENT_CERT_FILE', 'CLIENT_KEY_FILE'] as const) : []),
    // Google gives a program without a person no token, except to a service account.
    ...(provider === 'google' && !hasAccount ? (['REFRESH_TOKEN'] as const) : []),
    ...(provider === 'custom' ? (['TOKEN_URL', 'SCOPE'] as const) : []),
  ];
  return required.filter(isMissing).map((key) => nameOf(prefix, key));
}

/** Reads the settings, and names those that contradict each other. Undefined when something is missing or wrong. */
export function readOAuth2(reading: Reading, prefix: Prefix): OAuth2Reading | undefined {
  const get = <K extends Key>(key: K) => reading.optional(nameOf(prefix, key));
  const provider = get('PROVIDER');
  const [tenant, clientId, clientSecret] = [get('TENANT'), get('CLIENT_ID'), get('CLIENT_SECRET')];
  const [refreshToken, serviceAccount] = [get('REFRESH_TOKEN'), get('SERVICE_ACCOUNT')];
  const certificate = readCertificate(reading, prefix, get('CLIENT_CERT_FILE'), get('CLIENT_KEY_FILE'));
  nameContradictions(reading, prefix);
  if (provider === undefined) return undefined;

  const grant = serviceAccount
    ? 'service-account'
    : refreshToken === undefined
      ? 'client-credentials'
      : 'refresh-token';
  const tokenUrl = get('TOKEN_URL') ?? usualTokenUrl(provider, tenant);
  const scope = get('SCOPE') ?? usualScope(provider, grant);
  if (tokenUrl === undefined) return undefined;
  return {
    provider,
    grant,
    tokenUrl,
    scope,
    ...(tenant !== undefined && { tenant }),
    ...(clientId !== undefined && { clientId }),
    ...(clientSecret !== undefined && { clientSecret }),
    ...(certificate !== undefined && { certificate }),
    ...(refreshToken !== undefined && { refreshToken }),
    ...(serviceAccount !== undefined && { serviceAccount }),
  };
}

/** Every secret of the settings, by the variable that holds it. */
export function secretsOf(prefix: Prefix, oauth2: OAuth2Reading): readonly (readonly [string, string])[] {
  const { clientSecret, certificate, refreshToken, serviceAccount } = oauth2;
  const given: [Key, string | undefined][] = [
    ['CLIENT_SECRET', clientSecret],
    ['CLIENT_KEY_FILE', certificate?.key],
    ['REFRESH_TOKEN', refreshToken],
    ['SERVICE_ACCOUNT', serviceAccount?.privateKey],
  ];
  return given.flatMap(([key, secret]) =>
    secret === undefined ? [] : [[nameOf(prefix, key), secret] as const],
  );
}

/** The same of a whole provider, its password included. */
export function credentialSecrets({
  name,
  password,
  oauth2,
}: {
  name: Prefix;
  password?: string;
  oauth2?: OAuth2Reading;
}): (readonly [string, string])[] {
  return [
    ...(password === undefined ? [] : [[`${name}_PASSWORD`, password] as const]),
    ...(oauth2 ? secretsOf(name, oauth2) : []),
  ];
}

/** What names the credential: when any of it changes, what was learned about it is not true any more. */
export function identityOf(oauth2: OAuth2Reading): string {
  const { provider, grant, tokenUrl, scope, tenant = '', clientId = '', serviceAccount } = oauth2;
  return [provider, grant, tokenUrl, scope, tenant, clientId, serviceAccount?.clientEmail ?? ''].join('\0');
}

function usualTokenUrl(provider: OAuth2Reading['provider'], tenant = 'common'): string | undefined {
  if (provider === 'microsoft') return `https://login.microsoftonline.com/${tenant}/oauth2/v2.0/token`;
  return provider === 'google' ? 'https://oauth2.googleapis.com/token' : undefined;
}

/** What to ask for where nothing is set. */
export function usualScope(provider: OAuth2Reading['provider'], grant: OAuth2Reading['grant']): string {
  if (provider === 'google') return 'https://mail.google.com/';
  if (provider !== 'microsoft') return '';
  // Of Exchange, not of Graph, whose tokens the mail servers refuse.
  return grant === 'client-credentials'
    ? 'https://outlook.office365.com/.default'
    : 'https://outlook.office.com/SMTP.Send https://outlook.office.com/IMAP.AccessAsUser.All offline_access';
}

function nameContradictions(reading: Reading, prefix: Prefix): void {
  const isSet = (key: Key) => !reading.isMissing(nameOf(prefix, key));
  const provider = reading.optional(nameOf(prefix, 'PROVIDER'));
  const refuse = (key: Key, problem: string, fix: string) =>
    reading.add(nameOf(prefix, key), {
      severity: 'problem',
      problem,
      fix,
      cause: 'env-oauth2-contradiction',
    });

  for (const key of ['CLIENT_CERT_FILE', 'CLIENT_KEY_FILE'] as const) {
    if (!isSet(key)) continue;
    if (isSet('CLIENT_SECRET'))
      refuse(key, `is set together with ${nameOf(prefix, 'CLIENT_SECRET')}`, 'Keep one of them.');
    if (provider === 'google') refuse(key, 'is set, but Google knows no certificates', 'Remove it.');
  }
  if (isSet('SERVICE_ACCOUNT')) {
    if (provider === 'microsoft')
      refuse('SERVICE_ACCOUNT', 'is of Google, but the provider is microsoft', 'Remove it.');
    if (isSet('REFRESH_TOKEN'))
      refuse(
        'SERVICE_ACCOUNT',
        `is set together with ${nameOf(prefix, 'REFRESH_TOKEN')}`,
        'Keep one of them.',
      );
  }
  const tenant = reading.optional(nameOf(prefix, 'TENANT'));
  if (tenant === undefined) return;
  if (!/^[a-z0-9][a-z0-9.-]*$/i.test(tenant))
    refuse('TENANT', 'is no tenant', "Type the tenant's id (a GUID) or one of its domains.");
  else if (/^(?:common|organizations|consumers)$/i.test(tenant) && !isSet('REFRESH_TOKEN'))
    refuse(
      'TENANT',
      `is ${tenant}, which works only with a refresh token`,
      "Type the tenant's id (a GUID) or one of its domains.",
    );
}

function readCertificate(
  reading: Reading,
  prefix: Prefix,
  certFile: string | undefined,
  keyFile: string | undefined,
): OAuth2Reading['certificate'] {
  const cert = readPem(
    reading,
    nameOf(prefix, 'CLIENT_CERT_FILE'),
    certFile,
    (pem) => new X509Certificate(pem),
  );
  const key = readPem(reading, nameOf(prefix, 'CLIENT_KEY_FILE'), keyFile, (pem) => {
    // Microsoft takes assertions that are signed by RSA keys only.
    if (createPrivateKey(pem).asymmetricKeyType !== 'rsa') throw new Error('no RSA key');
  });
  if (cert === undefined || key === undefined) return undefined;
  if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return { cert, key };
  reading.add(nameOf(prefix, 'CLIENT_KEY_FILE'), {
    severity: 'problem',
    problem: `is not the key of the certificate in ${nameOf(prefix, 'CLIENT_CERT_FILE')}`,
    fix: 'Use the two files that were made together.',
    cause: 'env-oauth2-contradiction',
  });
  return undefined;
}

function readPem(
  reading: Reading,
  name: VariableName,
  path: string | undefined,
  check: (pem: string) => unknown,
): string | undefined {
  if (path === undefined) return undefined;
  try {
    const pem = readFileSync(path, 'utf8');
    check(pem);
    return pem;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    const isAway = /^E[A-Z]+$/.test(code);
    reading.add(name, {
      severity: 'problem',
      problem: isAway
        ? `names a file that cannot be read: ${code}`
        : 'names a file that is not such a PEM file',
      fix: isAway
        ? 'Type the path of the file as this process sees it, and let the process read it.'
        : 'It begins with -----BEGIN; a key is an RSA key without a passphrase.',
      cause: isAway ? 'env-file-unreadable' : 'env-value-garbage',
    });
    return undefined;
  }
}
