// Every variable Postern reads, once. The parsers, `.env.example` and the documentation follow this table.

export type Reader = 'api' | 'relay' | 'worker' | 'migrate';

export type VariableType =
  | 'text'
  | 'choice'
  | 'boolean'
  | 'host'
  | 'port'
  | 'count'
  | 'duration'
  | 'durations'
  | 'file'
  | 'address'
  | 'senders'
  | 'networks'
  | 'proxies'
  | 'origins'
  | 'resolvers'
  | 'url'
  | 'https-url'
  | 'token-url'
  | 'service-account'
  | 'roles'
  | 'webhook-secret'
  | 'database-url'
  | 'credentials';

export type Variable = {
  readonly group: 'Everything' | 'API' | 'Relay' | 'Provider' | 'Second provider' | 'Delivery' | 'Worker';
  readonly type: VariableType;
  /** The words a `choice` may be. */
  readonly options?: readonly string[];
  readonly aliases?: readonly string[];
  /** May also come as NAME_FILE or NAME_BASE64, and is shown only as length and fingerprint. */
  readonly secret?: true;
  readonly default?: string;
  /** `process`: who reads it does not start without it. `provider`: without it mail is held. */
  readonly required?: 'process' | 'provider';
  readonly readBy: readonly Reader[];
  readonly help: string;
};

const everyone = ['api', 'relay', 'worker', 'migrate'] as const;
const tlsModes = ['auto', 'implicit', 'starttls', 'none'] as const;

/** What a provider is made of; the second provider has the same under `SMTP2_`. */
const providerBlock = {
  SMTP_HOST: {
    group: 'Provider',
    type: 'host',
    required: 'provider',
    readBy: ['relay'],
    help: 'The mail server of the provider: its bare name, such as smtp.example.com.',
  },
  SMTP_PORT: {
    group: 'Provider',
    type: 'port',
    default: '465',
    readBy: ['relay'],
    help: '465 (implicit TLS) or 587 (STARTTLS).',
  },
  SMTP_USER: {
    group: 'Provider',
    type: 'text',
    required: 'provider',
    readBy: ['relay'],
    help: 'The login at the provider; most want the whole mail address. Only without TLS it may be left out.',
  },
  SMTP_PASSWORD: {
    group: 'Provider',
    type: 'text',
    aliases: ['SMTP_PASS'],
    secret: true,
    required: 'provider',
    readBy: ['relay'],
    help: 'The password at the provider, often an app password. Not used with SMTP_AUTH=oauth2; only without TLS it may be left out.',
  },
  SMTP_AUTH: {
    group: 'Provider',
    type: 'choice',
    options: ['password', 'oauth2'],
    default: 'password',
    readBy: ['relay'],
    help: 'How to sign in: password, or oauth2 with the SMTP_OAUTH2_ variables (Microsoft 365, Google) instead of a password.',
  },
  SMTP_OAUTH2_PROVIDER: {
    group: 'Provider',
    type: 'choice',
    options: ['microsoft', 'google', 'custom'],
    readBy: ['relay'],
    help: 'With oauth2: microsoft, google, or custom with a token URL and a scope of its own.',
  },
  SMTP_OAUTH2_TENANT: {
    group: 'Provider',
    type: 'text',
    readBy: ['relay'],
    help: "With Microsoft: the tenant's id or one of its domains. With a refresh token the one that issued it; unset: common.",
  },
  SMTP_OAUTH2_CLIENT_ID: {
    group: 'Provider',
    type: 'text',
    readBy: ['relay'],
    help: 'With oauth2: the application (client) id.',
  },
  SMTP_OAUTH2_CLIENT_SECRET: {
    group: 'Provider',
    type: 'text',
    secret: true,
    readBy: ['relay'],
    help: 'With oauth2: the value (not the id) of the client secret.',
  },
  SMTP_OAUTH2_CLIENT_CERT_FILE: {
    group: 'Provider',
    type: 'file',
    readBy: ['relay'],
    help: 'With Microsoft, instead of a client secret: a PEM file with the certificate of the application.',
  },
  SMTP_OAUTH2_CLIENT_KEY_FILE: {
    group: 'Provider',
    type: 'file',
    readBy: ['relay'],
    help: 'The private key of that certificate, without a passphrase: a PEM file.',
  },
  SMTP_OAUTH2_REFRESH_TOKEN: {
    group: 'Provider',
    type: 'text',
    secret: true,
    readBy: ['relay'],
    help: 'With oauth2, when a person has allowed it: what npm run doctor -- authorize printed.',
  },
  SMTP_OAUTH2_SERVICE_ACCOUNT: {
    group: 'Provider',
    type: 'service-account',
    secret: true,
    readBy: ['relay'],
    help: "With Google Workspace: the JSON key of the service account, best as _FILE or _BASE64. It acts for SMTP_USER's mailbox.",
  },
  SMTP_OAUTH2_TOKEN_URL: {
    group: 'Provider',
    type: 'token-url',
    readBy: ['relay'],
    help: 'With custom, or in a national cloud: where tokens are fetched, https only (http for this machine).',
  },
  SMTP_OAUTH2_SCOPE: {
    group: 'Provider',
    type: 'text',
    readBy: ['relay'],
    help: 'With custom, or in a national cloud: the scope to ask for.',
  },
  SMTP_TLS_MODE: {
    group: 'Provider',
    type: 'choice',
    options: tlsModes,
    default: 'auto',
    readBy: ['relay'],
    help: 'auto (465 implicit, any other port STARTTLS), implicit, starttls, none (refused together with a password).',
  },
  SMTP_USE_TLS: {
    group: 'Provider',
    type: 'boolean',
    readBy: ['relay'],
    help: 'Accepted for compatibility: true with 587, false with 465. Not needed.',
  },
  SMTP_SECURE: {
    group: 'Provider',
    type: 'boolean',
    readBy: ['relay'],
    help: 'Accepted for compatibility: false with 587, true with 465. Not needed.',
  },
  SMTP_FAILOVER: {
    group: 'Provider',
    type: 'choice',
    options: ['auto', 'off'],
    default: 'auto',
    readBy: ['relay'],
    help: 'auto tries the other of 465 and 587 when one cannot be reached; off does not.',
  },
  SMTP_FAILOVER_PORT: {
    group: 'Provider',
    type: 'port',
    readBy: ['relay'],
    help: 'The port to fail over to, when the provider uses others than 465 and 587.',
  },
  SMTP_FAILOVER_TLS_MODE: {
    group: 'Provider',
    type: 'choice',
    options: tlsModes,
    default: 'auto',
    readBy: ['relay'],
    help: 'How the failover port speaks TLS; like SMTP_TLS_MODE.',
  },
  SMTP_CA_FILE: {
    group: 'Provider',
    type: 'file',
    readBy: ['relay'],
    help: 'A PEM file with an additional certificate authority to trust.',
  },
  SMTP_TIMEOUT: {
    group: 'Provider',
    type: 'count',
    default: '30',
    readBy: ['relay'],
    help: 'Seconds for connect and greeting of one route. The wait for the final reply is not shortened.',
  },
  SMTP_MAX_CONNECTIONS: {
    group: 'Provider',
    type: 'count',
    readBy: ['relay'],
    help: 'Connections that carry mail to the provider, shared by all replicas. Unset: 5, or 3 with Microsoft, which allows no more.',
  },
  SMTP_MAX_PER_HOUR: {
    group: 'Provider',
    type: 'count',
    readBy: ['relay'],
    help: 'Recipients an hour the provider allows; unset is no limit.',
  },
  SMTP_MAX_PER_DAY: {
    group: 'Provider',
    type: 'count',
    readBy: ['relay'],
    help: 'Recipients a day the provider allows; unset is no limit.',
  },
  SMTP_ALLOWED_SENDERS: {
    group: 'Provider',
    type: 'senders',
    readBy: ['relay'],
    help: 'Who may send: a comma list of addresses, *@domain or *. Unset: the address of SMTP_FROM_EMAIL.',
  },
} as const satisfies Record<`SMTP_${string}`, Variable>;

type ProviderBlock = typeof providerBlock;
export type ProviderKey = keyof ProviderBlock extends `SMTP_${infer Key}` ? Key : never;

type SecondBlock = {
  [Name in keyof ProviderBlock as Name extends `SMTP_${infer Key}` ? `SMTP2_${Key}` : never]: Omit<
    ProviderBlock[Name],
    'required'
  >;
};

/** Nothing here is required: there may be no second provider. With SMTP2_HOST, login and password are. */
const secondBlock = Object.fromEntries(
  Object.entries<Variable>(providerBlock).map(([name, { required: _, ...variable }]) => [
    second(name),
    {
      ...variable,
      group: 'Second provider',
      ...(variable.aliases && { aliases: variable.aliases.map(second) }),
    } satisfies Variable,
  ]),
) as unknown as SecondBlock;

function second(name: string): string {
  return name.replace(/^SMTP_/, 'SMTP2_');
}

/** All variables by name, in the order in which people read them. */
export const variables = {
  DATABASE_URL: {
    group: 'Everything',
    type: 'database-url',
    secret: true,
    required: 'process',
    readBy: everyone,
    help: 'PostgreSQL 15 or newer: postgres://user:password@host:5432/database (special characters percent-encoded).',
  },
  DATABASE_DIRECT_URL: {
    group: 'Everything',
    type: 'database-url',
    secret: true,
    readBy: everyone,
    help: 'Used instead of DATABASE_URL where that leads to a pooler in transaction mode: the address of PostgreSQL itself, or of a pooler in session mode.',
  },
  DATABASE_CA_FILE: {
    group: 'Everything',
    type: 'file',
    readBy: everyone,
    help: 'A PEM file with the only authorities to trust for the certificate of PostgreSQL; switches TLS on.',
  },
  DATABASE_API_PASSWORD: {
    group: 'Everything',
    type: 'text',
    secret: true,
    readBy: ['migrate'],
    help: 'The password of the role postern_api, which migrate creates for the api; part of its DATABASE_URL. All three or none.',
  },
  DATABASE_RELAY_PASSWORD: {
    group: 'Everything',
    type: 'text',
    secret: true,
    readBy: ['migrate'],
    help: 'The password of the role postern_relay, for the relay.',
  },
  DATABASE_WORKER_PASSWORD: {
    group: 'Everything',
    type: 'text',
    secret: true,
    readBy: ['migrate'],
    help: 'The password of the role postern_worker, for the worker.',
  },
  IDLE: {
    group: 'Everything',
    type: 'choice',
    options: ['normal', 'sleep'],
    default: 'normal',
    readBy: ['api', 'relay', 'worker'],
    help: 'sleep: while nothing is to be done no process makes a statement or has a connection to the database, so that a serverless one may stop. The same for all three. What wakes them: deploy/postgresql/README.md.',
  },
  IDLE_AFTER: {
    group: 'Everything',
    type: 'duration',
    default: '1m',
    readBy: ['api', 'relay', 'worker'],
    help: 'With IDLE=sleep: how long nothing must have happened before a process sleeps. The same for all three.',
  },
  LOG_LEVEL: {
    group: 'Everything',
    type: 'choice',
    options: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    default: 'info',
    readBy: everyone,
    help: 'How much is logged: trace, debug, info, warn, error, fatal or silent.',
  },
  LOG_ADDRESSES: {
    group: 'Everything',
    type: 'choice',
    options: ['masked', 'full'],
    default: 'masked',
    readBy: everyone,
    help: 'Mail addresses in the logs: masked (a***@example.com) or full.',
  },
  API_PORT: { group: 'API', type: 'port', default: '3000', readBy: ['api'], help: 'The port of the API.' },
  API_BIND: {
    group: 'API',
    type: 'host',
    default: '0.0.0.0',
    readBy: ['api'],
    help: 'The address the API listens at.',
  },
  API_KEY: {
    group: 'API',
    type: 'text',
    secret: true,
    required: 'process',
    readBy: ['api'],
    help: 'The first admin key, for Authorization: Bearer. Further keys are made with it.',
  },
  ADMIN_PASSWORD: {
    group: 'API',
    type: 'text',
    secret: true,
    readBy: ['api'],
    help: 'The password of the dashboard. Unset: the dashboard is off.',
  },
  OIDC_ISSUER: {
    group: 'API',
    type: 'token-url',
    readBy: ['api'],
    help: 'Sign-in to the dashboard by OpenID Connect: the issuer of the identity provider, https only (http for this machine). Its redirect URI is PUBLIC_URL/oidc/callback.',
  },
  OIDC_CLIENT_ID: {
    group: 'API',
    type: 'text',
    readBy: ['api'],
    help: 'The client id that the identity provider gave Postern.',
  },
  OIDC_CLIENT_SECRET: {
    group: 'API',
    type: 'text',
    secret: true,
    readBy: ['api'],
    help: 'The secret of that client.',
  },
  OIDC_SCOPES: {
    group: 'API',
    type: 'text',
    default: 'openid profile email',
    readBy: ['api'],
    help: 'The scopes to ask for, with spaces between them. Some providers tell groups only with a scope of their own.',
  },
  OIDC_ROLE_CLAIM: {
    group: 'API',
    type: 'text',
    default: 'groups',
    readBy: ['api'],
    help: 'The claim that decides the role: groups, roles, realm_access.roles, hd, or email (only when it is verified).',
  },
  OIDC_ROLES: {
    group: 'API',
    type: 'roles',
    readBy: ['api'],
    help: 'Which value of the claim gives which role: a comma list such as admin=postern-admins,operate=support,view=staff. The highest role counts.',
  },
  OIDC_DEFAULT_ROLE: {
    group: 'API',
    type: 'choice',
    options: ['none', 'view', 'operate', 'admin'],
    default: 'none',
    readBy: ['api'],
    help: 'The role of everybody else whom the identity provider lets in; none: they are refused.',
  },
  PUBLIC_URL: {
    group: 'API',
    type: 'url',
    required: 'process',
    readBy: ['api'],
    help: 'The public address of the api: the base of links in invitations.',
  },
  TRUSTED_PROXIES: {
    group: 'API',
    type: 'proxies',
    readBy: ['api'],
    help: 'Proxies whose X-Forwarded-For is used: a comma list of addresses, CIDRs, loopback, linklocal or uniquelocal.',
  },
  CORS_ORIGINS: {
    group: 'API',
    type: 'origins',
    readBy: ['api'],
    help: 'Web origins that may call the API from a browser: a comma list, such as https://app.example.com.',
  },
  RELAY_HOST: {
    group: 'Relay',
    type: 'host',
    default: 'relay',
    readBy: ['api', 'worker', 'relay'],
    help: 'The host name of the relay, for api and worker. The relay uses it to detect that SMTP_HOST is itself.',
  },
  RELAY_PORT: {
    group: 'Relay',
    type: 'port',
    default: '2525',
    readBy: ['api', 'relay', 'worker'],
    help: 'The port of SMTP submission.',
  },
  RELAY_BIND: {
    group: 'Relay',
    type: 'host',
    default: '0.0.0.0',
    readBy: ['relay'],
    help: 'The address the relay listens at.',
  },
  RELAY_USER: {
    group: 'Relay',
    type: 'text',
    default: 'postern',
    readBy: ['api', 'relay', 'worker'],
    help: "The login of Postern's own processes at the relay.",
  },
  RELAY_PASSWORD: {
    group: 'Relay',
    type: 'text',
    secret: true,
    required: 'process',
    readBy: ['api', 'relay', 'worker'],
    help: "The password of Postern's own processes at the relay. Use a long random one.",
  },
  RELAY_USERS: {
    group: 'Relay',
    type: 'credentials',
    secret: true,
    readBy: ['relay'],
    help: 'Logins of other applications: name:password,… (no comma inside a password).',
  },
  RELAY_TRUSTED_NETWORKS: {
    group: 'Relay',
    type: 'networks',
    readBy: ['relay'],
    help: 'A comma list of CIDRs that may submit without a password. Unset: nobody.',
  },
  RELAY_CLEAR_AUTH_FROM: {
    group: 'Relay',
    type: 'networks',
    readBy: ['relay'],
    help: "A comma list of CIDRs that may send a password without TLS although other clients may be behind them, such as Docker's gateway.",
  },
  RELAY_TLS_CERT_FILE: {
    group: 'Relay',
    type: 'file',
    readBy: ['relay'],
    help: 'A PEM certificate with its chain; STARTTLS is offered to submitters only with one. Read again when the files change.',
  },
  RELAY_TLS_KEY_FILE: {
    group: 'Relay',
    type: 'file',
    readBy: ['relay'],
    help: 'The PEM key of that certificate.',
  },
  RELAY_TLS_PORT: {
    group: 'Relay',
    type: 'port',
    readBy: ['relay'],
    help: 'A second port with implicit TLS, such as 465. Needs the certificate. Unset: off.',
  },
  RELAY_SENDER_REWRITE: {
    group: 'Relay',
    type: 'choice',
    options: ['off', 'on'],
    default: 'off',
    readBy: ['relay'],
    help: 'on: mail of senders that are not allowed, such as root@host, leaves as SMTP_FROM_EMAIL (for a key: its first address) with the old address as its name and Reply-To. Never mail with a DKIM signature.',
  },
  RELAY_MAX_MESSAGE_SIZE: {
    group: 'Relay',
    type: 'count',
    default: '26214400',
    readBy: ['relay'],
    help: 'The largest message in bytes.',
  },
  RELAY_HEALTH_PORT: {
    group: 'Relay',
    type: 'port',
    default: '9101',
    readBy: ['relay', 'api', 'worker'],
    help: '/livez, /readyz and /metrics of the relay; with IDLE=sleep api and worker wake it there.',
  },
  ...providerBlock,
  SMTP_FROM_EMAIL: {
    group: 'Provider',
    type: 'address',
    aliases: ['SMTP_FROM'],
    required: 'provider',
    readBy: ['relay', 'api', 'worker'],
    help: 'The default sender: a bare address that the provider allows you to send from.',
  },
  SMTP_FROM_NAME: {
    group: 'Provider',
    type: 'text',
    readBy: ['relay', 'api', 'worker'],
    help: 'The display name of the default sender.',
  },
  ...secondBlock,
  DELIVERY_MODE: {
    group: 'Delivery',
    type: 'choice',
    options: ['deliver', 'capture', 'allowlist'],
    default: 'deliver',
    readBy: ['relay'],
    help: 'deliver; capture (nothing leaves, readable in the dashboard); allowlist (only to DELIVERY_ALLOWLIST).',
  },
  DELIVERY_ALLOWLIST: {
    group: 'Delivery',
    type: 'senders',
    readBy: ['relay'],
    help: 'Who may receive in allowlist mode: a comma list of addresses or *@domain.',
  },
  UNCERTAIN_POLICY: {
    group: 'Delivery',
    type: 'choice',
    options: ['resend', 'hold'],
    default: 'resend',
    readBy: ['relay'],
    help: 'When the final reply was lost: resend (once, 15 minutes later) or hold for a person.',
  },
  QUEUE_LIFETIME: {
    group: 'Delivery',
    type: 'duration',
    default: '3d',
    readBy: ['relay'],
    help: 'How long Postern tries to send a message before it expires.',
  },
  RETRY_SCHEDULE: {
    group: 'Delivery',
    type: 'durations',
    default: '15s,1m,2m,5m,10m,20m,40m,1h',
    readBy: ['relay'],
    help: 'The waits between attempts; the last one repeats.',
  },
  BOUNCE_IMAP: {
    group: 'Delivery',
    type: 'choice',
    options: ['off', 'on'],
    default: 'off',
    readBy: ['relay'],
    help: 'on reads the delivery reports in the sending mailbox over IMAP; so does BOUNCE_IMAP_HOST. Mail in it is never deleted or marked.',
  },
  BOUNCE_IMAP_HOST: {
    group: 'Delivery',
    type: 'host',
    readBy: ['relay'],
    help: 'The IMAP server. Unset: that of the provider, where it is known.',
  },
  BOUNCE_IMAP_PORT: {
    group: 'Delivery',
    type: 'port',
    default: '993',
    readBy: ['relay'],
    help: 'The port of the IMAP server.',
  },
  BOUNCE_IMAP_TLS_MODE: {
    group: 'Delivery',
    type: 'choice',
    options: ['auto', 'implicit', 'starttls'],
    default: 'auto',
    readBy: ['relay'],
    help: 'auto (143 STARTTLS, any other port implicit), implicit or starttls.',
  },
  BOUNCE_IMAP_USER: {
    group: 'Delivery',
    type: 'text',
    readBy: ['relay'],
    help: 'The login of the mailbox. Unset: SMTP_USER.',
  },
  BOUNCE_IMAP_PASSWORD: {
    group: 'Delivery',
    type: 'text',
    secret: true,
    readBy: ['relay'],
    help: "The password of the mailbox. Unset: SMTP_PASSWORD, or with SMTP_AUTH=oauth2 the provider's access token.",
  },
  BOUNCE_IMAP_FOLDERS: {
    group: 'Delivery',
    type: 'text',
    readBy: ['relay'],
    help: 'A comma list of folders to read. Unset: the inbox and the junk folder.',
  },
  BOUNCE_IMAP_MOVE_TO: {
    group: 'Delivery',
    type: 'text',
    readBy: ['relay'],
    help: 'A folder into which reports are moved once they were read. Unset: they stay where they are.',
  },
  BOUNCE_VERP: {
    group: 'Delivery',
    type: 'choice',
    options: ['off', 'on'],
    default: 'off',
    readBy: ['relay'],
    help: 'on sends as local+ID@domain, so that each report names its mail by its address. Only where the provider takes such senders and such mail comes into the mailbox; PrivateEmail, Gmail and Microsoft 365 do not.',
  },
  CANARY_TO: {
    group: 'Delivery',
    type: 'senders',
    readBy: ['relay'],
    help: 'Sends a mail to the mailbox of BOUNCE_IMAP and to these addresses once a day, and reads it back there: a comma list of five addresses at most, which forward to that mailbox, or its own. Unset: only when somebody asks.',
  },
  DNS_RESOLVERS: {
    group: 'Delivery',
    type: 'resolvers',
    readBy: ['relay'],
    help: "Name servers that are asked about the sender's domain: a comma list of addresses, such as 9.9.9.9. Unset: those of the system.",
  },
  ALERT_WEBHOOK_URL: {
    group: 'Delivery',
    type: 'https-url',
    secret: true,
    readBy: ['relay'],
    help: 'Where alerts are posted as JSON. HTTPS only.',
  },
  ALERT_WEBHOOK_SECRET: {
    group: 'Delivery',
    type: 'webhook-secret',
    secret: true,
    readBy: ['relay'],
    help: 'Signs alerts by Standard Webhooks: whsec_ and 24 to 64 random bytes in base64.',
  },
  WEBHOOK_ALLOW_PRIVATE: {
    group: 'Worker',
    type: 'networks',
    readBy: ['api', 'worker'],
    help: 'Networks (CIDR) inside of your own that webhooks may post to and attachments be fetched from, also over http. Empty: public addresses only.',
  },
  WEBHOOK_RETRY_SCHEDULE: {
    group: 'Worker',
    type: 'durations',
    default: '5s,5m,30m,2h,5h,10h,14h,20h,24h',
    readBy: ['worker'],
    help: 'The waits between the attempts to deliver an event; after the last one it has failed.',
  },
  WORKER_CONCURRENCY: {
    group: 'Worker',
    type: 'count',
    default: '10',
    readBy: ['worker'],
    help: 'Jobs at once. For each job, 16 emails at once are handed over to the relay, 128 at most.',
  },
  WORKER_POLL_INTERVAL: {
    group: 'Worker',
    type: 'duration',
    default: '30s',
    readBy: ['worker'],
    help: 'How often the worker looks for due mail while nobody tells it of any; it always wakes for the next due time.',
  },
  WORKER_HOST: {
    group: 'Worker',
    type: 'host',
    default: 'worker',
    readBy: ['api', 'relay'],
    help: 'The host name of the worker. Used with IDLE=sleep only: api and relay wake it at WORKER_HEALTH_PORT.',
  },
  WORKER_HEALTH_PORT: {
    group: 'Worker',
    type: 'port',
    default: '9102',
    readBy: ['worker', 'api', 'relay'],
    help: '/livez, /readyz and /metrics of the worker; with IDLE=sleep api and relay wake it there.',
  },
  RETENTION_BODY: {
    group: 'Worker',
    type: 'duration',
    default: '7d',
    readBy: ['worker'],
    help: 'How long bodies of finished mail are kept.',
  },
  RETENTION_ROWS: {
    group: 'Worker',
    type: 'duration',
    default: '90d',
    readBy: ['worker', 'relay'],
    help: 'How long the records of finished mail are kept; at least 14d while delivery reports are read, and 1d for mail submitted over SMTP.',
  },
} as const satisfies Record<string, Variable>;

export type VariableName = keyof typeof variables;

/** The table without its literal types, for those who walk over it. */
export const variableTable: Readonly<Record<string, Variable>> = Object.freeze(variables);
