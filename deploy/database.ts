// The way to PostgreSQL: one pool a process, short transactions, and one answer to "is it away?".
import { AsyncLocalStorage } from 'node:async_hooks';
import pg from 'pg';
import type { Log } from './log.ts';

export { uuidv7 } from './uuid.ts';

export type Result<Row> = { rows: Row[]; rowCount: number };

/**
 * A prepared statement when it has a `name`. Results always come in text format: pg silently corrupts
 * bytes from 0x80 on when a named statement asks for binary results, so there is no way to ask.
 */
export type Statement = { text: string; values?: readonly unknown[]; name?: string };

/** What can run SQL: the database itself (each statement on its own) or a transaction in it. */
export interface Queryable {
  query<Row = Record<string, unknown>>(
    statement: string | Statement,
    values?: readonly unknown[],
  ): Promise<Result<Row>>;
}

/** One session of our own, outside the pool: for what belongs to a session, such as LISTEN and advisory locks. */
export interface Connection extends Queryable, AsyncDisposable {
  /** Calls `heard` for every NOTIFY on the channel until the connection closes. */
  listen(channel: string, heard: (payload: string) => void): Promise<void>;
  /** Which process of PostgreSQL the handshake named. A pooler invents a number. */
  readonly serverProcess: number | undefined;
  /** Settles when the session has ended: with the error when it was lost, with nothing when we closed it. */
  readonly ended: Promise<Error | undefined>;
}

/** Which variable holds the address. */
export type AddressVariable = 'DATABASE_URL' | 'DATABASE_DIRECT_URL';

export interface Database extends Queryable, AsyncDisposable {
  readonly variable: AddressVariable;
  readonly pool: pg.Pool;
  /** For what a process asks by itself: it does not count as use. */
  readonly aside: Queryable;
  /** How many sessions the pool has opened so far: a server that took over can only be met by a new one. */
  readonly sessionsOpened: number;
  readonly log: Log | undefined;
  /**
   * Runs `work` in one transaction: commits its result, rolls back what it throws. When the
   * connection is lost during the commit nobody knows the outcome; the error is then one that
   * `isUnavailable` recognises, and the caller looks its rows up. Within `work` only `tx` may be asked: whoever asks
   * the database for another connection gets an error.
   */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>;
  connect(): Promise<Connection>;
  /** Closes the connections that nobody uses. The next statement opens one. */
  letGo(): Promise<void>;
}

const connectTimeoutMs = 5_000;
/** Amazon says of Aurora that a paused instance needs about 15 s, and 30 s or more after a day. */
const startTimeoutMs = 45_000;
/** A little longer than the pause between two heartbeats. */
const unusedForMs = 12_000;
const statementTimeoutMs = 30_000;
// A little longer than the server's own limit: this one only fires when the network swallowed the answer.
const answerTimeoutMs = 35_000;

// Long because its small functions share one pool and what is known of its transactions.
export function openDatabase({
  url,
  variable = 'DATABASE_URL',
  applicationName,
  max = 10,
  plansOnce = false,
  log,
  mayPause = false,
  used,
}: {
  url: string;
  variable?: AddressVariable;
  applicationName: string;
  max?: number;
  /** Statements are planned once in a session, for whatever values: for a process whose plans depend on none. */
  plansOnce?: boolean;
  log?: Log;
  /** The server may be one that stops while nobody asks: no connection is kept, and a new one may take its time. */
  mayPause?: boolean;
  /** Told of every statement and every commit, before it. Not of what `aside` asks. */
  used?: () => void;
}): Database {
  const session = {
    connectionString: url,
    application_name: applicationName,
    connectionTimeoutMillis: mayPause ? startTimeoutMs : connectTimeoutMs,
    keepAlive: true,
    types: { getTypeParser } as pg.CustomTypesConfig,
  };
  const pool = new pg.Pool({
    ...session,
    Client: CheckingClient,
    max,
    // So that a process that says every few seconds that it lives need not connect for it.
    min: mayPause ? 0 : 1,
    ...(mayPause && { idleTimeoutMillis: unusedForMs }),
    query_timeout: answerTimeoutMs,
    onConnect: (client) => prepareSession(client, plansOnce ? limits + onePlan : limits),
  });

  // Without a listener of our own an error between two statements of a transaction would end the process:
  // the pool listens only while the client is idle.
  let sessionsOpened = 0;
  pool.on('connect', (client) => {
    sessionsOpened++;
    client.on('error', () => {});
  });
  pool.on('error', (error) => log?.warn({ err: error }, 'Idle connection to PostgreSQL lost'));

  // Once every connection has a transaction that waits for another connection, none of them goes on: for as long as
  // requests keep coming the process answers nobody, with a database that is well. So it fails at the first one.
  const transactions = new AsyncLocalStorage<true>();
  const ask: Queryable = queryable(pool, used);

  function expectNoTransaction(): void {
    if (transactions.getStore())
      throw new Error('Inside a transaction, use only the transaction for queries');
  }

  async function transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    expectNoTransaction();
    used?.();
    const client = await pool.connect();
    let broken: Error | undefined;
    try {
      await client.query('begin');
      const result = await transactions.run(true, () => work(queryable(client, used)));
      used?.();
      const { command } = await client.query('commit');
      // After a failed statement that `work` swallowed, COMMIT rolls back and calls that a success.
      if (command !== 'COMMIT') throw new Error('Transaction rolled back: one of its statements failed');
      return result;
    } catch (error) {
      broken = isUnavailable(error) ? (error as Error) : await rollback(client);
      throw error;
    } finally {
      // A connection that failed or still waits for an answer is closed instead of going back to the pool.
      client.release(broken);
    }
  }

  async function connect(): Promise<Connection> {
    const client = new CheckingClient(session);
    const ended = Promise.withResolvers<Error | undefined>();
    client.on('error', (error) => ended.resolve(error));
    client.on('end', () => ended.resolve(undefined));
    await client.connect();
    await prepareSession(client);

    return {
      ...queryable(client),
      serverProcess: (client as { processID?: number | null }).processID ?? undefined,
      async listen(channel, heard) {
        client.on('notification', (message) => {
          if (message.channel === channel) heard(message.payload ?? '');
        });
        await client.query(`listen ${client.escapeIdentifier(channel)}`);
      },
      ended: ended.promise,
      async [Symbol.asyncDispose]() {
        await client.end();
      },
    };
  }

  return {
    async query<Row>(statement: string | Statement, values?: readonly unknown[]) {
      expectNoTransaction();
      return ask.query<Row>(statement, values);
    },
    aside: queryable(pool),
    pool,
    variable,
    get sessionsOpened() {
      return sessionsOpened;
    },
    log,
    transaction,
    connect,
    async letGo() {
      while (pool.idleCount > 0) (await pool.connect()).release(true);
    },
    async [Symbol.asyncDispose]() {
      await pool.end();
    },
  };
}

/**
 * Where the address asks for TLS, and does not ask for it without a check (`sslmode=no-verify`), the server's
 * certificate is checked. pg leaves that to NODE_TLS_REJECT_UNAUTHORIZED.
 */
class CheckingClient extends pg.Client {
  constructor(config?: string | pg.ClientConfig) {
    super(config);
    const connection = this.connection as { ssl?: boolean | { rejectUnauthorized?: boolean } };
    if (connection.ssl === true) connection.ssl = { rejectUnauthorized: true };
    else if (connection.ssl) connection.ssl.rejectUnauthorized ??= true;
  }
}

/**
 * Whether the error means that PostgreSQL is unavailable or full, as opposed to a mistake of ours: the
 * caller answers "later" (503, 451) and nothing is wrong with the request.
 */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // Node reports a host with several addresses as one error that holds one for each address.
  if (error instanceof AggregateError && error.errors.some(isUnavailable)) return true;
  if (isRefusedLogin(error)) return false;

  const code = (error as { code?: unknown }).code;
  if (typeof code === 'string' && (awaySqlStates.test(code) || awaySystemErrors.has(code))) return true;
  return awayMessages.test(error.message) || isUnavailable(error.cause);
}

/** The role does not exist or has another password. PgBouncer has one code for all its errors, so its words count. */
export function isRefusedLogin(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message: string };
  if (code === '28000' || code === '28P01') return true;
  return code === '08P01' && /^(?:no such user|(?:SASL|password) authentication failed)/.test(message);
}

// PostgreSQL's error codes: class 08 connection, class 53 no memory, disk or connection slot left,
// 57P0x shutting down or starting, 57014 our own statement_timeout (nobody else cancels our statements),
// 25006 read-only after a failover: this server is not the one that can commit.
const awaySqlStates = /^(?:08...|53...|57P0[1235]|57014|25006|25P03)$/;

const awaySystemErrors = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

// The errors pg and its pool raise themselves carry no code; a standby that has not taken over yet says 55000.
const awayMessages =
  /^(?:Connection terminated|recovery is in progress|timeout exceeded when trying to connect|timeout expired|Query read timeout|Client (?:has encountered a connection error|was closed) and is not queryable)/;

function queryable(runner: pg.Pool | pg.ClientBase, used?: () => void): Queryable {
  return {
    async query<Row>(statement: string | Statement, values?: readonly unknown[]) {
      used?.();
      const given = typeof statement === 'string' ? { text: statement } : statement;
      const config: pg.QueryConfig = { text: given.text };
      if (given.name !== undefined) config.name = given.name;
      const parameters = values ?? given.values;
      if (parameters !== undefined) config.values = [...parameters];
      const { rows, rowCount } = await runner.query(config);
      return { rows: rows as Row[], rowCount: rowCount ?? 0 };
    },
  };
}

async function rollback(client: pg.ClientBase): Promise<Error | undefined> {
  try {
    await client.query('rollback');
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

/**
 * What every session of ours begins with.
 *
 * Durable commits, also where the database's own default is weaker than that.
 *
 * Plans that suit a queue: it is empty one moment and full the next, and the planner's statistics know neither. A
 * statement that was planned while the table was empty would go on scanning all of it once it is full. Every
 * statement of ours has an index to go by. And none of them lasts as long as compiling it would.
 *
 * Mail is compressed with LZ4 where the server was built with it: with PostgreSQL's own method, accepting 35 KB of HTML
 * costs it more than twice as much.
 */
async function prepareSession(client: pg.ClientBase, more = ''): Promise<void> {
  await client.query(
    `select set_config('enable_seqscan', 'off', false), set_config('enable_hashjoin', 'off', false),
            set_config('enable_mergejoin', 'off', false), set_config('jit', 'off', false),
            case when current_setting('synchronous_commit') in ('off', 'local')
              then set_config('synchronous_commit', 'on', false) end,
            (select set_config(name, 'lz4', false) from pg_settings
             where name = 'default_toast_compression' and 'lz4' = any(enumvals))${more}`,
  );
}

/**
 * For sessions of the pool: how long a statement may last, and how long a transaction may do nothing, since a process
 * that froze in the middle of one must not hold its locks for ever. Not sent with the start of the session, because a
 * pooler such as PgBouncer refuses a start with parameters that it does not know.
 */
const limits = `, set_config('statement_timeout', '${statementTimeoutMs}', false),
  set_config('idle_in_transaction_session_timeout', '${statementTimeoutMs}', false)`;

/**
 * PostgreSQL would plan a statement anew each time that it believes to do better with the values at hand. Where each
 * statement goes by a key it never does, and planning took a third of what a mail costs the database.
 */
const onePlan = `, set_config('plan_cache_mode', 'force_generic_plan', false)`;

const int8 = 20;
const date = 1082;

function getTypeParser(oid: number, format?: 'text' | 'binary'): (text: string) => unknown {
  if (oid === int8) return parseInt8;
  // A calendar day has no time zone; pg would make it midnight of whatever zone the process runs in.
  if (oid === date) return (text) => text;
  return pg.types.getTypeParser(oid, format as 'text');
}

function parseInt8(text: string): number | bigint {
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : BigInt(text);
}
