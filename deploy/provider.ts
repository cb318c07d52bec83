// The provider's settings. Nothing here ends a process: with a problem the provider is left out, the relay accepts
// and holds mail, and the findings say what to type.
import { domainToASCII } from 'node:url';
import { isWrongDoor } from './doors.ts';
import { fingerprint } from './fingerprint.ts';
import { identityOf, missingForOAuth2, type OAuth2Reading, readOAuth2, secretsOf } from './oauth2.ts';
import type { Reading } from './reading.ts';
import type { ProviderKey, VariableName } from './variables.ts';

export type TlsMode = 'implicit' | 'starttls' | 'none';

export type RouteSetting = {
  /** Provider and port: `smtp-465`. */
  name: string;
  host: string;
  port: number;
  tlsMode: TlsMode;
};

export type ProviderReading = {
  name: 'SMTP' | 'SMTP2';
  host: string;
  user?: string;
  password?: string;
  /** How to get an access token instead of a password. */
  oauth2?: OAuth2Reading;
  /** Of the password, or of all that an access token is fetched with. It changes when one of them does. */
  fingerprint?: string;
  /** In the order in which they are tried. */
  routes: RouteSetting[];
  timeoutSeconds: number;
  maxConnections: number;
  maxPerHour?: number;
  maxPerDay?: number;
  caFile?: string;
  /** Addresses, `*@domain` or `*`; without SMTP_ALLOWED_SENDERS the default From. */
  allowedSenders: string[];
};

type Prefix = ProviderReading['name'];

/**
 * Reads one provider. Undefined when it is not set, incomplete or wrong; `reading.findings` then
 * holds the reason (except for a second provider that is simply not there).
 */
export function readProvider(
  reading: Reading,
  prefix: Prefix,
  { fromEmail, relay }: { fromEmail: string | undefined; relay: { host: string; port: number } },
): ProviderReading | undefined {
  const name = <Key extends ProviderKey>(key: Key) => `${prefix}_${key}` as const;
  const problemsBefore = countProblems(reading);

  const host = reading.optional(name('HOST'));
  const port = reading.optional(name('PORT'));
  const user = reading.optional(name('USER'));
  const isOAuth2 = reading.optional(name('AUTH')) === 'oauth2';
  const password = isOAuth2 ? undefined : reading.optional(name('PASSWORD'));
  const oauth2 = isOAuth2 ? readOAuth2(reading, prefix) : undefined;
  const tlsMode = readTlsMode(reading, prefix, port);
  const failover = port === undefined ? undefined : readFailover(reading, prefix, { port, tlsMode });
  const timeoutSeconds = reading.optional(name('TIMEOUT'));
  const maxConnections = reading.optional(name('MAX_CONNECTIONS')) ?? usualConnections(host);
  const maxPerHour = reading.optional(name('MAX_PER_HOUR'));
  const maxPerDay = reading.optional(name('MAX_PER_DAY'));
  const caFile = reading.optional(name('CA_FILE'));
  const allowedSenders = reading.optional(name('ALLOWED_SENDERS')) ?? (fromEmail ? [fromEmail] : []);

  if (prefix === 'SMTP2') checkCompleteness(reading, tlsMode);
  nameUnused(reading, prefix);
  checkHost(reading, prefix, { host, port, relay });
  checkLogin(reading, prefix, { tlsMode, failover, fromEmail, user });

  const isCredentialComplete = isOAuth2
    ? oauth2 !== undefined && missingForOAuth2(reading, prefix).length === 0
    : password !== undefined;
  const isComplete =
    host !== undefined && ((tlsMode === 'none' && !isOAuth2) || (user !== undefined && isCredentialComplete));
  if (countProblems(reading) > problemsBefore || !isComplete || port === undefined || tlsMode === undefined) {
    return undefined;
  }

  const routes = [{ port, tlsMode }, ...(failover ? [failover] : [])].map((route) => ({
    name: `${prefix.toLowerCase()}-${route.port}`,
    host,
    ...route,
  }));
  return {
    name: prefix,
    host,
    ...(user !== undefined && { user }),
    ...(password !== undefined && { password, fingerprint: fingerprint(password) }),
    ...(oauth2 !== undefined && { oauth2, fingerprint: fingerprint(materialOf(prefix, oauth2)) }),
    routes,
    timeoutSeconds: timeoutSeconds as number,
    maxConnections,
    ...(maxPerHour !== undefined && { maxPerHour }),
    ...(maxPerDay !== undefined && { maxPerDay }),
    ...(caFile !== undefined && { caFile }),
    allowedSenders,
  };
}

const materialOf = (prefix: Prefix, oauth2: OAuth2Reading) =>
  [identityOf(oauth2), ...secretsOf(prefix, oauth2).map(([, secret]) => secret)].join('\0');

/** Of a provider of which nothing else is known. */
export const mostConnectionsUsually = 5;

// The limit in the catalogue's facts (relay/verdict/providers.ts): 432 4.3.2 beyond it.
const fewerConnections = /(?:^|\.)(?:office365\.(?:com|us)|partner\.outlook\.cn|smtp-mail\.outlook\.com)$/i;

const usualConnections = (host = '') => (fewerConnections.test(host) ? 3 : mostConnectionsUsually);

type Route = { port: number; tlsMode: TlsMode };

// RFC 8314 section 3.3 gives 465 to implicit TLS; 587 (RFC 6409) and all others begin in clear.
function usualTlsMode(port: number): TlsMode {
  return port === 465 ? 'implicit' : 'starttls';
}

function readTlsMode(reading: Reading, prefix: Prefix, port: number | undefined): TlsMode | undefined {
  const chosen = reading.optional(`${prefix}_TLS_MODE`);
  const secure = reading.optional(`${prefix}_SECURE`);
  const useTls = reading.optional(`${prefix}_USE_TLS`);
  if (port === undefined || chosen === undefined) return undefined;

  const mode = chosen === 'auto' ? guessFromSwitches(port, { secure, useTls }) : chosen;
  if (chosen !== 'auto' && isAgainstPort(port, mode)) {
    reading.add(`${prefix}_TLS_MODE`, {
      severity: 'warning',
      problem: `says ${mode} on port ${port}, which is used for ${port === 465 ? 'implicit TLS' : 'STARTTLS'}`,
      fix: `Remove ${prefix}_TLS_MODE, unless the provider asks for this combination.`,
      cause: 'env-tls-contradiction',
    });
  }

  const where = chosen === 'auto' ? `port ${port}` : `${prefix}_TLS_MODE ${chosen}`;
  // nodemailer's `secure` means TLS from the first byte; USE_TLS in Django and others means STARTTLS.
  if (secure !== undefined && secure !== (mode === 'implicit')) {
    reading.add(`${prefix}_SECURE`, {
      severity: 'problem',
      problem: `is ${secure}, which contradicts ${where}`,
      fix: `Remove ${prefix}_SECURE (it is not needed) or set it to ${!secure}: true is only for implicit TLS (port 465).`,
      cause: 'env-tls-contradiction',
    });
  }
  if (useTls !== undefined && useTls !== (mode === 'starttls')) {
    reading.add(`${prefix}_USE_TLS`, {
      severity: 'problem',
      problem: `is ${useTls}, which contradicts ${where}`,
      fix: `Remove ${prefix}_USE_TLS (it is not needed) or set it to ${!useTls}: true is only for STARTTLS (port 587).`,
      cause: 'env-tls-contradiction',
    });
  }
  return mode;
}

/** On 465 and 587 the port decides. On any other, TLS from the first byte must be said; nothing ever leads to no TLS. */
function guessFromSwitches(
  port: number,
  { secure, useTls }: { secure: boolean | undefined; useTls: boolean | undefined },
): TlsMode {
  const isWellKnown = port === 465 || port === 587;
  if (!isWellKnown && secure === true && useTls !== true) return 'implicit';
  return usualTlsMode(port);
}

function isAgainstPort(port: number, mode: TlsMode): boolean {
  return (port === 465 && mode !== 'implicit') || (port === 587 && mode === 'implicit');
}

function readFailover(
  reading: Reading,
  prefix: Prefix,
  primary: { port: number; tlsMode: TlsMode | undefined },
): Route | undefined {
  const failover = reading.optional(`${prefix}_FAILOVER`);
  const ownPort = reading.optional(`${prefix}_FAILOVER_PORT`);
  const ownMode = reading.optional(`${prefix}_FAILOVER_TLS_MODE`);

  if (failover === 'off') {
    if (ownPort !== undefined) {
      contradict(`is set although ${prefix}_FAILOVER is off`, `Remove it, or remove ${prefix}_FAILOVER.`);
    }
    return undefined;
  }
  if (ownPort === primary.port) {
    contradict('is the same as the port that it should replace', 'Type another port or remove it.');
    return undefined;
  }
  // A provider without TLS is a sink on the own network. Its neighbour ports belong to somebody else.
  const otherPort = primary.tlsMode === 'none' ? undefined : { 465: 587, 587: 465 }[primary.port];
  const port = ownPort ?? otherPort;
  if (port === undefined) return undefined;
  if (port === 0) {
    contradict('is 0, which is not a usable port', 'Type a port between 1 and 65535.');
    return undefined;
  }
  const derived = primary.tlsMode === 'none' ? 'none' : usualTlsMode(port);
  return { port, tlsMode: ownMode === undefined || ownMode === 'auto' ? derived : ownMode };

  function contradict(problem: string, fix: string): void {
    reading.add(`${prefix}_FAILOVER_PORT`, {
      severity: 'problem',
      problem,
      fix,
      cause: 'env-failover-contradiction',
    });
  }
}

/** The first provider's gaps are its `missing` list. The second exists as soon as anything says where it is or who we are there. */
function checkCompleteness(reading: Reading, tlsMode: TlsMode | undefined): void {
  const login = missingLogin(reading, 'SMTP2', tlsMode);
  const isMeant = (['SMTP2_HOST', 'SMTP2_USER', 'SMTP2_PASSWORD', 'SMTP2_OAUTH2_PROVIDER'] as const).some(
    (key) => !reading.isMissing(key),
  );
  if (!isMeant) return;
  if (reading.isMissing('SMTP2_HOST')) reading.addMissing('SMTP2_HOST');
  for (const key of login) reading.addMissing(key);
}

/** What signing in needs and is not set, by canonical names. */
export function missingLogin(
  reading: Reading,
  prefix: Prefix,
  tlsMode: TlsMode | 'auto' | undefined,
): VariableName[] {
  const user = `${prefix}_USER` as const;
  const password = `${prefix}_PASSWORD` as const;
  if (reading.optional(`${prefix}_AUTH`) === 'oauth2')
    return [...(reading.isMissing(user) ? [user] : []), ...missingForOAuth2(reading, prefix)];
  return tlsMode === 'none' ? [] : [user, password].filter((key) => reading.isMissing(key));
}

/** What belongs to the other way of signing in: somebody meant it. */
function nameUnused(reading: Reading, prefix: Prefix): void {
  const auth = `${prefix}_AUTH` as const;
  const isOAuth2 = reading.optional(auth) === 'oauth2';
  const add = (name: VariableName, problem: string, fix: string) =>
    reading.add(name, { severity: 'warning', problem, fix, cause: 'env-oauth2-contradiction' });
  if (isOAuth2 && !reading.isMissing(`${prefix}_PASSWORD`))
    add(`${prefix}_PASSWORD`, `is not used, because ${auth} is oauth2`, `Remove it, or remove ${auth}.`);
  if (!isOAuth2 && !reading.isMissing(`${prefix}_OAUTH2_PROVIDER`))
    add(
      `${prefix}_OAUTH2_PROVIDER`,
      `is not used, because ${auth} is not oauth2`,
      `Set ${auth}=oauth2, or remove it.`,
    );
}

const loopback = /^(?:localhost|127\.\d+\.\d+\.\d+|::1|0\.0\.0\.0|::)$/i;

const inventedHost =
  /^(?:(?:smtp|mail)\.)?(?:example\.(?:com|org|net)|your-?(?:domain|provider|host)\.[a-z]+)$/i;

function checkHost(
  reading: Reading,
  prefix: Prefix,
  {
    host,
    port,
    relay,
  }: { host: string | undefined; port: number | undefined; relay: { host: string; port: number } },
): void {
  if (port === 0) {
    reading.add(`${prefix}_PORT`, {
      severity: 'problem',
      problem: 'is 0, which is not a usable port',
      fix: 'Type 465 or 587.',
      cause: 'env-port-garbage',
    });
  }
  if (host === undefined) return;

  const isOurself = port === relay.port && (sameHost(host, relay.host) || loopback.test(host));
  if (isOurself) {
    reading.add(`${prefix}_HOST`, {
      severity: 'problem',
      problem: 'is this relay itself: mail would loop',
      fix: 'Type the mail server of the provider, not the relay.',
      cause: 'env-loop',
    });
  } else if (loopback.test(host)) {
    reading.add(`${prefix}_HOST`, {
      severity: 'warning',
      problem: 'is this machine; inside a container that is the container itself',
      fix: "Type the provider's mail server, or host.docker.internal for a server beside Docker.",
      cause: 'env-localhost',
    });
  } else if (inventedHost.test(host)) {
    reading.add(`${prefix}_HOST`, {
      severity: 'problem',
      problem: 'is a placeholder',
      fix: "Type the provider's mail server.",
      cause: 'env-placeholder',
    });
  } else if (isWrongDoor(host)) {
    reading.add(`${prefix}_HOST`, {
      severity: 'warning',
      problem:
        'is another server of the provider (for reading mail, for the web, or for incoming mail), not the one for sending',
      fix: "Type the provider's SMTP (outgoing) server; its name often begins with smtp or mail.",
      cause: 'wrong-service-host',
    });
  } else if (host.endsWith('.')) {
    reading.add(`${prefix}_HOST`, {
      severity: 'warning',
      problem: 'ends with a dot',
      fix: 'Remove the dot: certificates name the host without it.',
      cause: 'env-host-garbage',
    });
  } else if (!host.includes('.') && !host.includes(':')) {
    reading.add(`${prefix}_HOST`, {
      severity: 'warning',
      problem: 'is a name without a dot, which only this network can resolve',
      fix: "Type the provider's full name, such as smtp.example.com, unless it is a service beside this one.",
      cause: 'local-name',
    });
  }
}

function checkLogin(
  reading: Reading,
  prefix: Prefix,
  {
    tlsMode,
    failover,
    fromEmail,
    user,
  }: {
    tlsMode: TlsMode | undefined;
    failover: Route | undefined;
    fromEmail: string | undefined;
    user: string | undefined;
  },
): void {
  const clear =
    tlsMode === 'none'
      ? (`${prefix}_TLS_MODE` as const)
      : failover?.tlsMode === 'none'
        ? (`${prefix}_FAILOVER_TLS_MODE` as const)
        : undefined;
  const isOAuth2 = reading.optional(`${prefix}_AUTH`) === 'oauth2';
  if (clear && (isOAuth2 || !reading.isMissing(`${prefix}_PASSWORD`))) {
    const secret = isOAuth2 ? 'access token' : 'password';
    reading.add(clear, {
      severity: 'problem',
      problem: `is none although there is ${isOAuth2 ? 'an' : 'a'} ${secret}: it would be sent unencrypted`,
      fix: `Remove it (TLS is then used), or remove the ${isOAuth2 ? `${prefix}_AUTH` : secret}.`,
      cause: 'env-cleartext-password',
    });
  }

  const [loginDomain, fromDomain] = [domainOf(user), domainOf(fromEmail)];
  if (loginDomain && fromDomain && loginDomain !== fromDomain) {
    reading.add('SMTP_FROM_EMAIL', {
      severity: 'warning',
      problem: `has another domain than ${prefix}_USER; many providers refuse such senders`,
      fix: 'Use an address of the same domain, or make sure that the provider knows this sender.',
      cause: 'env-from-mismatch',
    });
  }
}

function domainOf(address: string | undefined): string | undefined {
  const at = address?.lastIndexOf('@') ?? -1;
  return at < 0 ? undefined : address?.slice(at + 1).toLowerCase();
}

function sameHost(one: string, other: string): boolean {
  const plain = (host: string) => (domainToASCII(host) || host.toLowerCase()).replace(/\.$/, '');
  return plain(one) === plain(other);
}

function countProblems({ findings }: Reading): number {
  return findings.filter(({ severity }) => severity === 'problem').length;
}
