// The environment contract: what each process reads from its environment, checked once, complained about once.
// Each main.ts passes `process.env` in; nothing else touches it. The table itself is variables.ts.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { BlockList } from 'node:net';
import { readBounceMailbox, readBounceVerp, readCanaryTo } from './bounce-mailbox.ts';
import type { AddressVariable } from './database.ts';
import { withTls } from './database-tls.ts';
import { EnvironmentError, type Finding } from './findings.ts';
import { shapeOf } from './fingerprint.ts';
import { whyGuessable } from './guessable.ts';
import { readOidc } from './oidc.ts';
import { missingLogin, mostConnectionsUsually, type ProviderReading, readProvider } from './provider.ts';
import { listGiven, openReading, type Reading, type Source, spellings } from './reading.ts';
import { type Reader, type VariableName, variableTable } from './variables.ts';

export { EnvironmentError, type Finding } from './findings.ts';
export { fingerprint, fingerprintCommand, shapeOf } from './fingerprint.ts';
export type { ProviderReading, RouteSetting } from './provider.ts';
export type { VariableName } from './variables.ts';

export type RelayEnvironment = ReturnType<typeof readRelayEnvironment>;

/** The default sender. */
export type From = { email: string; name?: string };

/** Reads what the api needs. Throws an EnvironmentError with all problems at once. */
export function readApiEnvironment(source: Source) {
  return read(source, (reading, mail) => {
    const publicUrl = reading.required('PUBLIC_URL');
    if (!isOwnMachine(publicUrl)) nameGuessable(reading, ['API_KEY', 'ADMIN_PASSWORD', 'RELAY_PASSWORD']);
    return present({
      ...readEverywhere(reading, source),
      apiPort: reading.required('API_PORT'),
      apiBind: reading.required('API_BIND'),
      apiKey: readApiKey(reading, publicUrl),
      adminPassword: reading.optional('ADMIN_PASSWORD'),
      oidc: readOidc(reading),
      publicUrl,
      ...readSubmission(reading),
      idle: readIdle(reading),
      workerDoor: readWorkerDoor(reading),
      trustedProxies: reading.optional('TRUSTED_PROXIES') ?? [],
      corsOrigins: reading.optional('CORS_ORIGINS') ?? [],
      webhookAllowPrivate: reading.optional('WEBHOOK_ALLOW_PRIVATE') ?? [],
      from: readFrom(mail),
      problems: mail.findings,
      providerVariables: listProviderVariables(source),
    });
  });
}

/** docker-compose.yml has it, so that a first try needs no settings; everybody can read it there. */
const keyOfFirstTry = 'postern-local-key';

function readApiKey(reading: Reading, publicUrl: string | undefined): string {
  const key = reading.required('API_KEY');
  if (key === keyOfFirstTry && publicUrl && !isOwnMachine(publicUrl)) {
    reading.add('API_KEY', {
      severity: 'problem',
      problem: 'is the published example value of docker-compose.yml',
      fix: 'Use a long random one: openssl rand -hex 32',
      cause: 'env-placeholder',
    });
  }
  return key;
}

/** Nobody but this machine reaches it there; a platform that is reached by others says so in PUBLIC_URL. */
const isOwnMachine = (publicUrl: string | undefined) =>
  /^https?:\/\/(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?:[:/]|$)/i.test(publicUrl ?? '');

const isLoopback = (host: string | undefined) => /^(?:localhost|127\.\d+\.\d+\.\d+|::1)$/i.test(host ?? '');

/** Who may type a password is slowed down, so a shorter one will do; keys and logins of machines are copied anyway. */
const shortest = { API_KEY: 16, ADMIN_PASSWORD: 12, RELAY_PASSWORD: 16 } as const;

/** A warning, because an installation that runs with such a secret must not stop with an update. */
function nameGuessable(reading: Reading, names: readonly (keyof typeof shortest)[]): void {
  for (const name of names) {
    const secret = reading.optional(name);
    const why = secret === undefined ? undefined : whyGuessable(secret, { atLeast: shortest[name] });
    if (why !== undefined) reading.add(name, { ...guessable, problem: why });
  }
}

/** The same of the api, for whoever sees its variables without being the api. */
export function listGuessable(source: Source): Finding[] {
  const reading = openReading(source);
  if (isOwnMachine(reading.optional('PUBLIC_URL'))) return [];
  nameGuessable(reading, ['API_KEY', 'ADMIN_PASSWORD']);
  return reading.findings.filter(({ cause }) => cause === guessable.cause);
}

const guessable = {
  severity: 'warning',
  fix: 'Use a long random one: openssl rand -hex 32',
  cause: 'env-guessable-secret',
} as const;

/**
 * Reads what the relay needs. Throws an EnvironmentError with all problems at once, but not about the
 * provider: those are in `problems`, and a provider with one is not in `providers`.
 *
 * `missing` lists what is required and missing or blank, by canonical names: then mail is held. The
 * `smtp…` members are those of the first provider; each provider carries its own as well.
 */
export function readRelayEnvironment(source: Source) {
  return read(source, (reading, mail) => {
    const common = readEverywhere(reading, source);
    if (!isLoopback(reading.optional('RELAY_BIND'))) nameGuessable(reading, ['RELAY_PASSWORD']);
    const relayPort = reading.required('RELAY_PORT');
    const from = readFrom(mail);
    const missing = listMissing(mail);
    for (const name of missing) mail.addMissing(name);
    const isFromUsable = !mail.findings.some(
      ({ variable, severity }) => severity === 'problem' && variable.startsWith('SMTP_FROM'),
    );
    const surroundings = {
      fromEmail: from?.email,
      relay: { host: reading.required('RELAY_HOST'), port: relayPort },
    };
    const primary = readProvider(mail, 'SMTP', surroundings);
    const second = readProvider(mail, 'SMTP2', surroundings);
    const bounceMailbox = readBounceMailbox(mail, primary);
    const providers = isFromUsable
      ? [primary, second].filter((provider): provider is ProviderReading => provider !== undefined)
      : [];

    return present({
      ...common,
      relayPort,
      relayBind: reading.required('RELAY_BIND'),
      relayUser: reading.required('RELAY_USER'),
      relayPassword: reading.required('RELAY_PASSWORD'),
      relayUsers: readRelayUsers(reading),
      relayTrustedNetworks: readTrustedNetworks(reading),
      relayClearAuthFrom: reading.optional('RELAY_CLEAR_AUTH_FROM') ?? [],
      relayTls: readRelayTls(reading),
      relayTlsPort: readRelayTlsPort(reading),
      relaySenderRewrite: reading.required('RELAY_SENDER_REWRITE'),
      relayMaxMessageSize: reading.required('RELAY_MAX_MESSAGE_SIZE'),
      healthPort: reading.required('RELAY_HEALTH_PORT'),
      idle: readIdle(reading),
      workerDoor: readWorkerDoor(reading),
      smtpMaxConnections: primary?.maxConnections ?? mostConnectionsUsually,
      smtpMaxPerHour: primary?.maxPerHour,
      smtpMaxPerDay: primary?.maxPerDay,
      smtpTimeoutSeconds: primary?.timeoutSeconds ?? Number(variableTable.SMTP_TIMEOUT?.default),
      smtpCaFile: primary?.caFile,
      allowedSenders: primary?.allowedSenders,
      deliveryMode: reading.required('DELIVERY_MODE'),
      deliveryAllowlist: readAllowlist(reading),
      uncertainPolicy: reading.required('UNCERTAIN_POLICY'),
      queueLifetimeSeconds: reading.required('QUEUE_LIFETIME') / 1000,
      retryScheduleSeconds: (reading.required('RETRY_SCHEDULE') ?? []).map((ms) => ms / 1000),
      dnsResolvers: reading.optional('DNS_RESOLVERS') ?? [],
      bounceMailbox,
      canaryTo: readCanaryTo(mail, bounceMailbox),
      bounceVerp: readBounceVerp(mail, bounceMailbox, [primary, second]),
      alertWebhookUrl: reading.optional('ALERT_WEBHOOK_URL'),
      alertWebhookSecret: reading.optional('ALERT_WEBHOOK_SECRET'),
      from,
      providers,
      missing,
      problems: mail.findings,
      providerVariables: listProviderVariables(source),
    });
  });
}

/** Reads what the worker needs. Throws an EnvironmentError with all problems at once. */
export function readWorkerEnvironment(source: Source) {
  return read(source, (reading, mail) =>
    present({
      ...readEverywhere(reading, source),
      ...readSubmission(reading),
      workerConcurrency: reading.required('WORKER_CONCURRENCY'),
      workerPollIntervalMs: reading.required('WORKER_POLL_INTERVAL'),
      healthPort: reading.required('WORKER_HEALTH_PORT'),
      idle: readIdle(reading),
      webhookAllowPrivate: reading.optional('WEBHOOK_ALLOW_PRIVATE') ?? [],
      webhookRetryScheduleMs: reading.required('WEBHOOK_RETRY_SCHEDULE'),
      retentionBodySeconds: reading.required('RETENTION_BODY') / 1000,
      retentionRowsSeconds: reading.required('RETENTION_ROWS') / 1000,
      from: readFrom(mail),
      problems: mail.findings,
      providerVariables: listProviderVariables(source),
    }),
  );
}

/** Reads what the migration needs. Throws an EnvironmentError with all problems at once. */
export function readMigrateEnvironment(source: Source) {
  return read(source, (reading) =>
    present({ ...readEverywhere(reading, source), roles: readRoles(reading) }),
  );
}

/** All three or none: one process with a role of its own beside two that may do everything protects nothing. */
function readRoles(reading: Reading): { api: string; relay: string; worker: string } | undefined {
  const names = ['DATABASE_API_PASSWORD', 'DATABASE_RELAY_PASSWORD', 'DATABASE_WORKER_PASSWORD'] as const;
  const missing = names.filter((name) => reading.isMissing(name));
  if (missing.length === names.length) return undefined;
  for (const name of missing) reading.addMissing(name);
  const [api, relay, worker] = names.map((name) => reading.optional(name));
  return api && relay && worker ? { api, relay, worker } : undefined;
}

/**
 * Deletes every secret the process has no business with, in all spellings: platforms hand all
 * variables to all containers, and the provider's password belongs to the relay alone. Takes away the switch that
 * makes Node accept any certificate, too.
 */
export function scrubEnvironment(environment: Record<string, string | undefined>, process: Reader): void {
  for (const [name, variable] of Object.entries(variableTable)) {
    if (!variable.secret || variable.readBy.includes(process)) continue;
    for (const { setAs } of spellings(name, variable)) delete environment[setAs];
  }
  // Node looks at it with every handshake, also those of libraries that do not say what they want.
  delete environment.NODE_TLS_REJECT_UNAUTHORIZED;
}

/**
 * `reading` is what the process itself needs: any problem in it is thrown. `mail` is what concerns
 * the provider: problems in it become part of the result, because mail never ends a process.
 */
function read<Environment>(
  source: Source,
  build: (reading: Reading, mail: Reading) => Environment,
): Environment {
  const reading = openReading(source);
  const environment = build(reading, openReading(source));
  const problems = reading.findings.filter(({ severity }) => severity === 'problem');
  if (problems.length > 0) throw new EnvironmentError(problems);
  return environment;
}

function readEverywhere(reading: Reading, source: Source) {
  nameUncheckedTls(reading, source);
  return {
    database: readDatabase(reading),
    logLevel: reading.required('LOG_LEVEL'),
    logAddresses: reading.required('LOG_ADDRESSES'),
    /** What looks odd but is used as it is: worth a line in the log. */
    warnings: reading.findings as readonly Finding[],
  };
}

function readDatabase(reading: Reading): { url: string; variable: AddressVariable } {
  const variable = reading.isMissing('DATABASE_DIRECT_URL') ? 'DATABASE_URL' : 'DATABASE_DIRECT_URL';
  const url = reading.required(variable);
  const caFile = reading.optional('DATABASE_CA_FILE');
  if (caFile !== undefined) expectCertificates(reading, caFile);
  // Missing or wrong: that has been said.
  if (url === undefined) return { url, variable };
  const outcome = withTls(url, caFile);
  if ('url' in outcome) return { url: outcome.url, variable };
  reading.add('DATABASE_CA_FILE', {
    severity: 'problem',
    problem: `is set, but ${variable} ${outcome.contradiction}`,
    fix: `Keep one of them: remove DATABASE_CA_FILE, or what ${variable} says of it.`,
    cause: 'env-tls-contradiction',
  });
  return { url, variable };
}

function expectCertificates(reading: Reading, path: string): void {
  try {
    new X509Certificate(readFileSync(path, 'utf8'));
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    const isAway = /^E[A-Z]+$/.test(code);
    reading.add('DATABASE_CA_FILE', {
      severity: 'problem',
      problem: isAway ? `names a file that cannot be read: ${code}` : 'names a file without a certificate',
      fix: isAway
        ? 'Mount the file into the container of every process, readable for user 1000, and type its path there.'
        : 'It is a PEM file: its first certificate begins with -----BEGIN CERTIFICATE-----.',
      cause: isAway ? 'env-file-unreadable' : 'env-value-garbage',
    });
  }
}

/** Node itself reads it. Everything of ours asks for the check by name, so it changes nothing but what libraries add. */
function nameUncheckedTls(reading: Reading, source: Source): void {
  if (source.NODE_TLS_REJECT_UNAUTHORIZED !== '0') return;
  reading.findings.push({
    variable: 'NODE_TLS_REJECT_UNAUTHORIZED',
    severity: 'warning',
    problem: 'is 0; Postern ignores it and checks certificates',
    shape: shapeOf('0'),
    fix: 'Remove it. Put a private certificate authority of the provider into SMTP_CA_FILE, that of PostgreSQL into DATABASE_CA_FILE.',
    cause: 'env-tls-unchecked',
  });
}

/** A network that holds most of the internet makes an open relay of this one. */
function readTrustedNetworks(reading: Reading): string[] {
  const networks = reading.optional('RELAY_TRUSTED_NETWORKS') ?? [];
  const open = networks.filter(holdsStrangers);
  if (open.length > 0) {
    reading.add('RELAY_TRUSTED_NETWORKS', {
      severity: 'problem',
      problem: `lets anybody send without a password: ${open.join(', ')} is not a network of yours`,
      fix: 'Name only the networks of your own applications, such as 10.1.2.0/24, or give each a login (RELAY_USERS).',
      cause: 'env-open-network',
    });
  }
  return networks;
}

function holdsStrangers(network: string): boolean {
  const [address = '', prefix] = network.split('/');
  const isIPv6 = address.includes(':');
  const bits = Number(prefix);
  // fc00::/7 is everybody's own (RFC 4193); nothing else of its size is.
  if (isIPv6 && bits < (/^f[cd]00::$/i.test(address) ? 7 : 16)) return true;
  // More than a /8 of IPv4. Asked as the relay asks: ::ffff:0:0/96 is all of it as well.
  const list = new BlockList();
  list.addSubnet(address, bits, isIPv6 ? 'ipv6' : 'ipv4');
  const found = Array.from({ length: 224 }, (_, first) => `${first}.1.1.1`).filter((each) =>
    list.check(each),
  );
  return found.length > 1;
}

/** Whether the processes sleep while nothing is to be done, and where they wake each other. */
function readIdle(reading: Reading) {
  return {
    mode: reading.required('IDLE') === 'sleep' ? ('sleep' as const) : ('normal' as const),
    afterMs: reading.required('IDLE_AFTER'),
    relay: {
      name: 'relay',
      host: reading.required('RELAY_HOST'),
      port: reading.required('RELAY_HEALTH_PORT'),
    },
  };
}

/** Of those who wake the worker. */
const readWorkerDoor = (reading: Reading) => ({
  name: 'worker',
  host: reading.required('WORKER_HOST'),
  port: reading.required('WORKER_HEALTH_PORT'),
});

/** How Postern's own processes hand mail to the relay. */
function readSubmission(reading: Reading) {
  return {
    relayHost: reading.required('RELAY_HOST'),
    relayPort: reading.required('RELAY_PORT'),
    relayUser: reading.required('RELAY_USER'),
    relayPassword: reading.required('RELAY_PASSWORD'),
  };
}

function readFrom(mail: Reading): From | undefined {
  const email = mail.optional('SMTP_FROM_EMAIL');
  const name = mail.optional('SMTP_FROM_NAME');
  if (email && /@(?:.*\.)?(?:example\.(?:com|org|net)|your-?domain\.\w+)$/i.test(email)) {
    mail.add('SMTP_FROM_EMAIL', {
      severity: 'warning',
      problem: 'has a domain that exists only in examples',
      fix: 'Type an address the provider lets you send from.',
      cause: 'env-placeholder',
    });
  }
  if (email === undefined) return undefined;
  return name === undefined ? { email } : { email, name };
}

function listMissing(mail: Reading): VariableName[] {
  const login = missingLogin(mail, 'SMTP', mail.optional('SMTP_TLS_MODE'));
  const isMissing = (name: VariableName) => mail.isMissing(name);
  return [
    ...(['SMTP_HOST'] as const).filter(isMissing),
    ...login,
    ...(['SMTP_FROM_EMAIL'] as const).filter(isMissing),
  ];
}

/** Which of the provider's variables this process can see, so that "set on the api but not on the relay" can be noticed. */
function listProviderVariables(source: Source): string[] {
  return Object.entries(variableTable)
    .filter(([name, variable]) => name.startsWith('SMTP') && listGiven(source, name, variable).length > 0)
    .map(([name]) => name);
}

function readRelayUsers(reading: Reading) {
  const users = reading.optional('RELAY_USERS') ?? [];
  const own = reading.optional('RELAY_USER');
  if (users.some(({ name }) => name === own)) {
    reading.add('RELAY_USERS', {
      severity: 'problem',
      problem: 'contains the name of RELAY_USER, which the processes of Postern use',
      fix: 'Give the other application another name.',
      cause: 'env-value-garbage',
    });
  }
  const weak = users.filter(({ password }) => whyGuessable(password, { atLeast: 16 }) !== undefined);
  if (weak.length > 0 && !isLoopback(reading.optional('RELAY_BIND'))) {
    reading.add('RELAY_USERS', {
      ...guessable,
      problem: `has passwords that can be guessed, for: ${weak.map(({ name }) => name).join(', ')}`,
    });
  }
  return users;
}

function readRelayTls(reading: Reading): { certFile: string; keyFile: string } | undefined {
  const certFile = reading.optional('RELAY_TLS_CERT_FILE');
  const keyFile = reading.optional('RELAY_TLS_KEY_FILE');
  if (certFile && keyFile) return { certFile, keyFile };
  if (certFile) reading.addMissing('RELAY_TLS_KEY_FILE');
  if (keyFile) reading.addMissing('RELAY_TLS_CERT_FILE');
  return undefined;
}

function readRelayTlsPort(reading: Reading): number | undefined {
  const port = reading.optional('RELAY_TLS_PORT');
  if (port === undefined) return undefined;
  for (const name of ['RELAY_TLS_CERT_FILE', 'RELAY_TLS_KEY_FILE'] as const) {
    if (reading.isMissing(name)) reading.addMissing(name);
  }
  for (const name of ['RELAY_PORT', 'RELAY_HEALTH_PORT'] as const) {
    if (port !== reading.required(name)) continue;
    reading.add('RELAY_TLS_PORT', {
      severity: 'problem',
      problem: `is the same port as ${name}`,
      fix: `Use another port, such as 465. ${name} does not need to change.`,
      cause: 'env-port-garbage',
    });
  }
  return port;
}

function readAllowlist(reading: Reading): string[] {
  const allowlist = reading.optional('DELIVERY_ALLOWLIST');
  const isNeeded = reading.optional('DELIVERY_MODE') === 'allowlist';
  if (isNeeded && reading.isMissing('DELIVERY_ALLOWLIST')) reading.addMissing('DELIVERY_ALLOWLIST');
  return allowlist ?? [];
}

type Present<T> = { [Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key] } & {
  [Key in keyof T as undefined extends T[Key] ? Key : never]?: Exclude<T[Key], undefined>;
};

/** Leaves out what is undefined, so that an optional setting is either there or not. */
function present<T extends object>(settings: T): Present<T> {
  return Object.fromEntries(
    Object.entries(settings).filter(([, value]) => value !== undefined),
  ) as Present<T>;
}
