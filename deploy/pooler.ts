// A pooler between us and PostgreSQL, such as PgBouncer. In session mode it changes nothing for us. In transaction mode
// each transaction gets whichever session is free: settings, prepared statements, LISTEN and locks of a session are
// then those of somebody else.
import { setTimeout as pause } from 'node:timers/promises';
import type { Connection, Database } from './database.ts';
import { whyNoTls } from './database-tls.ts';
import { EnvironmentError, type Finding } from './findings.ts';

/**
 * Whether a session is given to somebody else between two transactions. Direct connections are told by the handshake;
 * behind a pooler it is tried out: no two connections that are open at the same time have one session, and no
 * connection has two. Where that is seen, it is certain.
 */
export async function sharesSessions(ours: Connection, open: () => Promise<Connection>): Promise<boolean> {
  const mine = await sessionOf(ours);
  if (ours.serverProcess === mine) return false;
  await using other = await open();
  for (let round = 0; round < rounds; round++) {
    // A pooler hands out the session that became free last: that is ours.
    const theirs = await sessionWithin(other);
    if (theirs === 'refused') return true;
    const asked = sessionOf(ours);
    // Where the pooler has only one session, we get an answer when the other gives it back.
    await Promise.race([asked, pause(answerMs)]);
    await other.query('rollback');
    const again = await asked;
    // Theirs became free last: asked again, we get that one. Otherwise each round would find what the one before found.
    const last = await sessionOf(ours);
    if (theirs === mine || again !== mine || last !== mine) return true;
  }
  return false;
}

/** Other processes use the pooler meanwhile, and may be faster than `other` at taking the session. */
const rounds = 10;
const answerMs = 300;

async function sessionOf(connection: Connection): Promise<number | undefined> {
  const { rows } = await connection.query<{ pid: number }>('select pg_backend_pid() as pid');
  return rows[0]?.pid;
}

/** The session of a transaction that stays open; in statement mode there are no transactions. */
async function sessionWithin(connection: Connection): Promise<number | undefined | 'refused'> {
  try {
    await connection.query('begin');
  } catch (error) {
    if (/statement pooling mode/.test((error as Error).message)) return 'refused';
    throw error;
  }
  return sessionOf(connection);
}

/** Throws an EnvironmentError when the sessions of this address are not our own. */
export async function expectOwnSessions(database: Database, ours: Connection): Promise<void> {
  if (!(await sharesSessions(ours, () => database.connect()))) return;
  const sharing = findingAbout(database, {
    problem: 'leads to a pooler in transaction mode, which gives each transaction another session',
    fix:
      'Set DATABASE_DIRECT_URL to the address of PostgreSQL itself, or of a pooler in session mode; with it ' +
      'DATABASE_URL is not used.',
    cause: 'env-database-pooler',
  });
  throw new EnvironmentError([sharing]);
}

/** What will be refused however often it is asked, by a pooler or by TLS; undefined for every other error. */
export function asWrongAddress(error: unknown, database: Database): EnvironmentError | undefined {
  const tls = whyNoTls(error);
  if (tls) return new EnvironmentError([findingAbout(database, { ...tls, cause: 'env-database-tls' })]);
  const words = error instanceof Error ? error.message : '';
  const parameter = /^unsupported startup parameter(?: in options)?: "?([\w.]+)/.exec(words)?.[1];
  if (parameter === undefined) return undefined;
  return new EnvironmentError([
    findingAbout(database, {
      problem: `leads to a pooler that refuses the parameter ${parameter}`,
      fix: `Remove ${parameter} from the address, or set DATABASE_DIRECT_URL to the address of PostgreSQL itself.`,
      cause: 'env-database-pooler',
    }),
  ]);
}

function findingAbout(
  { variable, pool }: Database,
  finding: Pick<Finding, 'problem' | 'fix' | 'cause'>,
): Finding {
  // Where it leads is no secret, and tells more than a fingerprint.
  const { host } = new URL(String(pool.options.connectionString));
  return { variable, severity: 'problem', shape: host, ...finding };
}
