// From the text of a variable to its value: one pure parser a type. A parser repairs nothing and guesses nothing.
import { createPrivateKey } from 'node:crypto';
import { isIP, isIPv4, isIPv6 } from 'node:net';
import type { FindingCause } from './findings.ts';
import type { VariableType } from './variables.ts';

type Mistake = { problem: string; fix: string; cause: FindingCause };
type Parsed<T> = { value: T } | { mistake: Mistake };

/** A value of a claim, and the role of the dashboard that it gives. */
export type RoleMapping = { readonly role: 'view' | 'operate' | 'admin'; readonly value: string };

type Credential = { name: string; password: string };

export type ServiceAccount = {
  readonly clientEmail: string;
  /** PEM. */
  readonly privateKey: string;
  readonly keyId?: string;
};

/** What each type of variable becomes. Durations are milliseconds. */
export type Values = {
  text: string;
  choice: string;
  boolean: boolean;
  host: string;
  port: number;
  count: number;
  duration: number;
  durations: number[];
  file: string;
  address: string;
  senders: string[];
  networks: string[];
  proxies: string[];
  origins: string[];
  resolvers: string[];
  url: string;
  'https-url': string;
  'token-url': string;
  'service-account': ServiceAccount;
  roles: RoleMapping[];
  'webhook-secret': string;
  'database-url': string;
  credentials: Credential[];
};

/** Parses a value that is neither blank nor mangled. `options` are the words of a `choice`. */
export function parse<Type extends VariableType>(
  type: Type,
  text: string,
  options: readonly string[] = [],
): Parsed<Values[Type]> {
  const parser = parsers[type] as (text: string, options: readonly string[]) => Parsed<Values[Type]>;
  return parser(text, options);
}

const parsers: {
  [Type in VariableType]: (text: string, options: readonly string[]) => Parsed<Values[Type]>;
} = {
  text: ok,
  file: ok,
  choice: (text, options) =>
    options.includes(text)
      ? ok(text)
      : garbage('is not one of the allowed values', `Type one of: ${options.join(', ')}.`),
  boolean: (text) =>
    text === 'true' || text === 'false'
      ? ok(text === 'true')
      : garbage('is neither true nor false', 'Type true or false.'),
  host: parseHost,
  port: parsePort,
  count: (text) => {
    const number = parseDigits(text);
    return number === undefined || number < 1
      ? garbage('is not a whole number above 0', 'Type digits only, without a unit.')
      : ok(number);
  },
  duration: parseDuration,
  durations: (text) => parseList(text, parseDuration),
  address: parseAddress,
  senders: (text) => parseList(text, parseSender),
  networks: (text) => parseList(text, parseNetwork),
  proxies: (text) =>
    parseList(text, (item) => (proxyWords.has(item) || isIP(item) ? ok(item) : parseNetwork(item))),
  origins: (text) => parseList(text, parseOrigin),
  resolvers: (text) => parseList(text, parseResolver),
  url: (text) => parseUrl(text, ['http:', 'https:']),
  'https-url': (text) => parseUrl(text, ['https:']),
  'token-url': parseTokenUrl,
  'service-account': parseServiceAccount,
  roles: (text) => parseList(text, parseRole),
  'webhook-secret': parseWebhookSecret,
  'database-url': parseDatabaseUrl,
  credentials: parseCredentials,
};

function ok<T>(value: T): { value: T } {
  return { value };
}

function garbage(
  problem: string,
  fix: string,
  cause: FindingCause = 'env-value-garbage',
): { mistake: Mistake } {
  return { mistake: { problem, fix, cause } };
}

/** Undefined for anything but plain digits of a safe size: no sign, no exponent, no `0x`. */
function parseDigits(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** `192.0.2.53`, `192.0.2.53:5353`, `2001:db8::53` or `[2001:db8::53]:5353`. */
function parseResolver(text: string): Parsed<string> {
  const [, bracketed, , port] = /^\[(.+)\](:(\d+))?$/.exec(text) ?? [];
  const [, plain, , plainPort] = /^([\d.]+)(:(\d+))?$/.exec(text) ?? [];
  const isAddress = isIPv6(text) || isIPv6(bracketed ?? '') || isIPv4(plain ?? '');
  const number = port ?? plainPort;
  const isPort = number === undefined || (Number(number) >= 1 && Number(number) <= 65_535);
  return isAddress && isPort
    ? ok(text)
    : garbage(
        `has ${JSON.stringify(text)}, which is no address of a name server`,
        'Type addresses, not names, such as 9.9.9.9, with a port only where it is not 53.',
      );
}

function parseRole(text: string): Parsed<RoleMapping> {
  const [, role, value] = /^(view|operate|admin)=(.+)$/.exec(text) ?? [];
  return role !== undefined && value !== undefined
    ? ok({ role: role as RoleMapping['role'], value })
    : garbage(
        `has ${JSON.stringify(text)}, which is not ROLE=VALUE`,
        'Type view=, operate= or admin= and a value of the claim, such as admin=postern-admins.',
      );
}

function parsePort(text: string): Parsed<number> {
  const port = parseDigits(text);
  if (port === undefined) {
    const problem = /^\d+\D|\D\d+$/.test(text)
      ? 'has other characters besides the number'
      : 'is not a number';
    return garbage(problem, 'Type digits only, such as 465.', 'env-port-garbage');
  }
  if (port > 65535) return garbage('is above 65535', 'Type a port between 1 and 65535.', 'env-port-garbage');
  // 0 means "any free port" to listen at, which tests and the local run use; nobody can connect to it.
  return ok(port);
}

// RFC 1123 section 2.1, and underscores, which Docker allows in service names.
const hostName =
  /^(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.?$/i;

function parseHost(text: string): Parsed<string> {
  if (text.includes('://')) {
    return garbage(
      'has a scheme in front of the host',
      'Type the bare host name, without smtp:// or https://.',
      'env-scheme-in-host',
    );
  }
  if (isIP(text)) return ok(text);
  if (/^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(text) && !/[/:]/.test(text)) {
    return garbage('is a mail address, not a host', 'Type the name of the mail server.', 'env-host-garbage');
  }
  if (text.includes('/')) {
    return garbage(
      'has a path after the host',
      'Type the bare host name, without / and the rest.',
      'env-host-garbage',
    );
  }
  if (/^[^:]+:\d+$/.test(text)) {
    return garbage(
      'has a port after the host',
      'Type the host alone. The port has its own variable.',
      'env-host-garbage',
    );
  }
  if (text.includes('@')) {
    return garbage(
      'has a user or a password in front of the host',
      'Type the host alone. User and password have their own variables.',
      'env-host-garbage',
    );
  }
  // A name of digits and dots is an address somebody mistyped: resolvers read 10.1 as 10.0.0.1.
  if (!hostName.test(text) || /^[\d.]+$/.test(text)) {
    return garbage(
      'is not a host name',
      'Type a bare host name, such as smtp.example.com.',
      'env-host-garbage',
    );
  }
  return ok(text);
}

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function parseDuration(text: string): Parsed<number> {
  const [, digits, unit] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? [];
  const ms = Number(digits) * unitMs[unit as keyof typeof unitMs];
  return ms > 0
    ? ok(ms)
    : garbage('is not a duration', 'Type a number and a unit: 200ms, 15s, 5m, 1h or 3d.');
}

// Deliberately narrower than RFC 5321: no quoted local parts, no address literals, no display names.
const bareAddress = /^[^\s@<>()[\]\\,;:"]+@([^\s@<>()[\]\\,;:"]+)$/;

function parseAddress(text: string): Parsed<string> {
  if (/[<>]/.test(text)) {
    return /^<[^<>]*>$/.test(text)
      ? garbage('has angle brackets around the address', 'Type the bare address.')
      : garbage(
          'has a name around the address',
          'Type the bare address; the name belongs in SMTP_FROM_NAME.',
        );
  }
  if (/^mailto:/i.test(text)) return garbage('begins with mailto:', 'Type the bare address.');
  const domain = bareAddress.exec(text)?.[1];
  return domain?.includes('.') || domain === 'localhost'
    ? ok(text)
    : garbage('is not a mail address', 'Type a bare address, such as noreply@example.com.');
}

function parseSender(text: string): Parsed<string> {
  if (text === '*') return ok(text);
  if (text.replace(/^\*@/, '').includes('*') || /^@/.test(text) || !text.includes('@')) {
    return garbage(
      'contains a wildcard that matches nothing',
      'Use whole addresses, *@example.com for one domain (each subdomain needs its own entry), or * for all.',
    );
  }
  const parsed = parseAddress(text.replace(/^\*@/, 'anyone@'));
  return 'value' in parsed
    ? ok(text)
    : garbage('contains something that is not an address', 'Type a comma list of addresses, *@domain or *.');
}

function parseNetwork(text: string): Parsed<string> {
  const [address = '', length = '', ...rest] = text.split('/');
  const bits = parseDigits(length);
  const most = isIPv4(address) ? 32 : isIPv6(address) ? 128 : -1;
  return rest.length === 0 && bits !== undefined && bits <= most
    ? ok(text)
    : garbage('contains something that is not a network', 'Type a comma list of CIDRs, such as 10.0.0.0/8.');
}

// The names Express knows for ranges of addresses.
const proxyWords = new Set(['loopback', 'linklocal', 'uniquelocal']);

function parseOrigin(text: string): Parsed<string> {
  return URL.parse(text)?.origin === text
    ? ok(text)
    : garbage(
        'contains something that is not an origin',
        'Type scheme and host without a path, such as https://app.example.com.',
      );
}

function parseUrl(text: string, protocols: string[]): Parsed<string> {
  const url = URL.parse(text);
  const wanted = protocols.map((protocol) => `${protocol}//`).join(' or ');
  return url && protocols.includes(url.protocol) && url.hostname
    ? ok(text)
    : garbage('is not a web address', `Type the whole address, beginning with ${wanted}.`);
}

/** Secrets travel there: TLS, or this machine. */
function parseTokenUrl(text: string): Parsed<string> {
  const url = URL.parse(text);
  const isHere = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url?.hostname ?? '');
  if (url?.username || url?.password || url?.hash)
    return garbage('holds more than an address', 'Type it without a user, a password or a #.');
  return parseUrl(text, isHere ? ['http:', 'https:'] : ['https:']);
}

/** What Google's console gives for download: only the account and its key are used. */
function parseServiceAccount(text: string): Parsed<ServiceAccount> {
  try {
    const {
      type,
      client_email: clientEmail,
      private_key: privateKey,
      private_key_id: keyId,
    } = JSON.parse(text);
    if (type === 'service_account' && typeof clientEmail === 'string' && typeof privateKey === 'string') {
      createPrivateKey(privateKey);
      return ok({ clientEmail, privateKey, ...(typeof keyId === 'string' && { keyId }) });
    }
  } catch {
    // Said below, without a word of what it holds.
  }
  return garbage(
    'is not the JSON key of a service account',
    'Give the file that the Google Cloud console offered for download, as NAME_FILE or NAME_BASE64.',
  );
}

/** As Standard Webhooks writes it, so that its libraries can check the signature. */
function parseWebhookSecret(text: string): Parsed<string> {
  const base64 = text.replace(/^whsec_/, '');
  const bytes = Buffer.from(base64, 'base64');
  const isBase64 = bytes.toString('base64').replace(/=+$/, '') === base64.replace(/=+$/, '');
  if (isBase64 && bytes.length >= 24 && bytes.length <= 64) return ok(text);
  return garbage(
    isBase64 ? `has ${bytes.length} bytes, but needs 24 to 64` : 'is not base64',
    'Type whsec_ and what `openssl rand -base64 32` prints, without a space between them.',
  );
}

function parseDatabaseUrl(text: string): Parsed<string> {
  if (!/^postgres(?:ql)?:\/\//.test(text)) {
    return garbage(
      'is not the address of a PostgreSQL database',
      'It begins with postgres:// or postgresql://.',
    );
  }
  return URL.canParse(text)
    ? ok(text)
    : garbage(
        'is not a valid URL',
        'Percent-encode special characters of the password (# is %23, / is %2F, : is %3A, @ is %40).',
        'env-url-encoding',
      );
}

function parseCredentials(text: string): Parsed<Credential[]> {
  const credentials = parseList(text, (item) => {
    const colon = item.indexOf(':');
    const [name, password] = [item.slice(0, colon), item.slice(colon + 1)];
    return colon > 0 && password
      ? ok({ name, password })
      : garbage('contains something that is not name:password', 'Type name:password,name:password.');
  });
  if ('mistake' in credentials) return credentials;
  const names = new Set(credentials.value.map(({ name }) => name));
  return names.size === credentials.value.length
    ? credentials
    : garbage('contains one name twice', 'Give each application its own name.');
}

/** Blanks around a comma are part of how people write lists, not of the items. */
function parseList<T>(text: string, parseItem: (item: string) => Parsed<T>): Parsed<T[]> {
  const values: T[] = [];
  for (const item of text.split(',')) {
    const parsed = parseItem(item.trim());
    if ('mistake' in parsed) return parsed;
    values.push(parsed.value);
  }
  return ok(values);
}
