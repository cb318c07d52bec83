// The misbehaving provider: a real SMTP server with implicit TLS, STARTTLS and AUTH, that behaves well until a
// test's script tells it otherwise, and remembers everything that was said to it.
//
//   await using provider = await startProvider();
//   provider.on('rcpt', '550 5.1.1 no such user', { when: ({ recipient }) => recipient === 'bob@example.com' });
//   provider.on('dot', acceptThen(drop), { times: 1 });
//   …
//   expect(provider.copiesOf('<1@example.com>')).toHaveLength(1);
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SecureContextOptions } from 'node:tls';
import { type Authority, type CertificateWishes, createAuthority } from './certificate.ts';
import {
  type AuthAttempt,
  type BearerJudge,
  type Capabilities,
  type ConnectionRecord,
  converse,
  type ProviderMessage,
} from './conversation.ts';
import {
  createScript,
  type Mode,
  type Reaction,
  type Rule,
  type RuleLimits,
  type Stage,
} from './misbehaviour.ts';
import { freePort } from './ports.ts';
import { keepTokensOf } from './secrets.ts';

export * from './misbehaviour.ts';

export type ProviderWishes = {
  /** The address to listen on, 127.0.0.1 by default. */
  readonly host?: string;
  /** Ports to listen on; whichever are free by default. */
  readonly implicitPort?: number;
  readonly starttlsPort?: number;
  /** Names and passwords; one account by default. */
  readonly users?: Readonly<Record<string, string>>;
  /** Takes access tokens as well, with XOAUTH2 and OAUTHBEARER unless `capabilities` says otherwise. */
  readonly bearer?: BearerJudge;
  /** Whether MAIL is refused with 530 before AUTH; true by default. */
  readonly requireAuth?: boolean;
  readonly capabilities?: Partial<Capabilities>;
  readonly certificate?: CertificateWishes;
  /** Oldest and newest TLS it speaks, and its ciphers. */
  readonly tls?: Pick<SecureContextOptions, 'minVersion' | 'maxVersion' | 'ciphers'>;
  /** The name in its greeting. */
  readonly name?: string;
  /** How many bytes of each message to remember; all by default. Digest and size are always of all. */
  readonly keepBytes?: number;
};

export type Provider = AsyncDisposable & {
  readonly host: string;
  readonly implicitPort: number;
  readonly starttlsPort: number;
  /** The first account; `users` has them all, and changing it while running rotates a password. */
  readonly user: string;
  readonly password: string;
  readonly users: Map<string, string>;
  readonly capabilities: Capabilities;
  /** The certificate of the authority that vouches for the provider, as PEM and as a file. */
  readonly ca: string;
  readonly caFile: string;
  /** What the relay's environment must say to use this provider; the first port is that of `mode`. */
  environment(mode?: Mode): Record<string, string>;

  /** Adds a rule to the script. Rules are tried in the order they were added. */
  on(stage: Stage, reaction: Reaction, limits?: RuleLimits): Rule;
  /** Forgets all rules: the provider behaves well again. */
  behave(): void;
  /** Presents another certificate from now on. */
  present(certificate: CertificateWishes): Promise<void>;
  /** Stops listening, so that connections are refused, and ends those that are open. */
  shut(mode?: Mode): Promise<void>;
  /** Listens again, on the same ports. */
  open(mode?: Mode): Promise<void>;
  /** Resets every open connection, and goes on listening. */
  hangUp(): void;

  readonly connections: readonly ConnectionRecord[];
  /** The most connections that were open at once. */
  readonly peakConnections: number;
  readonly authAttempts: readonly AuthAttempt[];
  readonly messages: readonly ProviderMessage[];
  /** The messages with this Message-ID (angle brackets or not). */
  copiesOf(messageId: string): ProviderMessage[];
  /** All command lines of all connections, in the order of their arrival. */
  commands(connection?: number): string[];
};

const modes = ['implicit', 'starttls'] as const;

// One authority a process: a relay with two providers has only one SMTP_CA_FILE.
let authority: Promise<Authority> | undefined;

export async function startProvider(wishes: ProviderWishes = {}): Promise<Provider> {
  const { host = '127.0.0.1', requireAuth = true, name = 'mail.example.net' } = wishes;
  const users = new Map(Object.entries(wishes.users ?? { 'mailer@example.com': 'correct-horse-battery' }));
  const [user = '', password = ''] = users.entries().next().value ?? [];
  const capabilities: Capabilities = {
    pipelining: true,
    size: 26_214_400,
    eightBitMime: true,
    dsn: false,
    smtpUtf8: true,
    enhancedStatusCodes: true,
    startTls: true,
    authBeforeTls: [],
    authAfterTls: ['PLAIN', 'LOGIN', ...(wishes.bearer ? ['XOAUTH2', 'OAUTHBEARER'] : [])],
    others: [],
    ...wishes.capabilities,
  };
  authority ??= createAuthority();
  const ca = await authority;
  let certificate = await ca.issue(wishes.certificate);
  const directory = await mkdtemp(join(tmpdir(), 'postern-provider-'));
  const caFile = join(directory, 'ca.pem');
  await writeFile(caFile, ca.cert);

  const script = createScript();
  const connections: ConnectionRecord[] = [];
  const authAttempts: AuthAttempt[] = [];
  const messages: ProviderMessage[] = [];
  const sockets = new Map<Socket, Mode>();
  let peakConnections = 0;

  const place = {
    name,
    users,
    bearer: wishes.bearer,
    capabilities,
    requireAuth,
    keepBytes: wishes.keepBytes ?? Number.POSITIVE_INFINITY,
    script,
    certificate: () => ({ ...certificate, ...wishes.tls }),
    nextQueueId: () => randomBytes(5).toString('hex').toUpperCase(),
    onAuth: (attempt: AuthAttempt) => authAttempts.push(attempt),
    onMessage: (message: ProviderMessage) => {
      messages.push(message);
      keepTokensOf(message.raw);
    },
  };

  const receive = (mode: Mode) => (socket: Socket) => {
    const record: ConnectionRecord = {
      id: connections.length + 1,
      mode,
      at: Date.now(),
      closedAt: undefined,
      tls: undefined,
      tlsError: undefined,
      injected: '',
      user: undefined,
      commands: [],
    };
    connections.push(record);
    sockets.set(socket, mode);
    peakConnections = Math.max(peakConnections, sockets.size);
    socket.once('close', () => {
      record.closedAt = Date.now();
      sockets.delete(socket);
    });
    // A rule that throws is a mistake of the test; unhandled, it fails the run with the rule's own stack.
    void converse(socket, record, place);
  };

  const servers = new Map<Mode, Server>();
  // Ours also while it is shut.
  const ports = {
    implicit: wishes.implicitPort ?? (await freePort()),
    starttls: wishes.starttlsPort ?? (await freePort()),
  };
  const open = async (mode?: Mode) => {
    for (const each of mode ? [mode] : modes) {
      if (servers.has(each)) continue;
      const server = createServer(receive(each));
      server.listen(ports[each], host);
      await once(server, 'listening');
      servers.set(each, server);
    }
  };
  const shut = async (mode?: Mode) => {
    for (const each of mode ? [mode] : modes) {
      const server = servers.get(each);
      if (!server) continue;
      servers.delete(each);
      const closed = once(server, 'close');
      server.close();
      for (const [socket, of] of sockets) if (of === each) socket.destroy();
      await closed;
    }
  };

  await open();
  return {
    host,
    implicitPort: ports.implicit,
    starttlsPort: ports.starttls,
    user,
    password,
    users,
    capabilities,
    ca: ca.cert,
    caFile,
    environment: (mode = 'implicit') => {
      const other = mode === 'implicit' ? 'starttls' : 'implicit';
      return {
        SMTP_HOST: host,
        SMTP_PORT: String(ports[mode]),
        SMTP_TLS_MODE: mode,
        SMTP_FAILOVER_PORT: String(ports[other]),
        SMTP_FAILOVER_TLS_MODE: other,
        SMTP_USER: user,
        SMTP_PASSWORD: password,
        SMTP_FROM_EMAIL: user,
        SMTP_CA_FILE: caFile,
      };
    },
    on: script.add,
    behave: script.clear,
    present: async (next) => {
      certificate = await ca.issue(next);
    },
    shut,
    open,
    hangUp: () => {
      for (const socket of sockets.keys()) socket.resetAndDestroy();
    },
    connections,
    get peakConnections() {
      return peakConnections;
    },
    authAttempts,
    messages,
    copiesOf: (messageId) => {
      const wanted = `<${messageId.replace(/^<|>$/g, '')}>`;
      return messages.filter((message) => message.messageId === wanted);
    },
    commands: (connection) =>
      connections
        .filter(({ id }) => connection === undefined || id === connection)
        .flatMap((record) => record.commands)
        .sort((a, b) => a.at - b.at)
        .map(({ line }) => line),
    async [Symbol.asyncDispose]() {
      await shut();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
