// A real PgBouncer in front of the run's PostgreSQL, as Debian ships it.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accountForServers } from './embedded.ts';
import { freePort } from './ports.ts';
import { until } from './until.ts';

const program = '/usr/sbin/pgbouncer';

/** Why there is no PgBouncer to test with; undefined where there is one. */
export function whyNoPooler(): string | undefined {
  try {
    execFileSync(program, ['--version']);
    return undefined;
  } catch {
    return 'PgBouncer is not installed (Debian: apt-get install pgbouncer)';
  }
}

type Settings = { readonly pool_mode: 'session' | 'transaction' | 'statement' } & Readonly<
  Record<string, string | number>
>;

export type Pooler = AsyncDisposable & {
  /** The same database as the same role, by way of the pooler. */
  through(url: string): string;
};

/** In front of every database and role of `serverUrl`, also those that are created later. */
export async function startPooler(serverUrl: string, settings: Settings): Promise<Pooler> {
  const owner = await accountForServers();
  const directory = await mkdtemp(join(tmpdir(), 'postern-pgbouncer-'));
  const port = await freePort();
  await writeFile(join(directory, 'users.txt'), usersFile(serverUrl));
  await writeFile(join(directory, 'pgbouncer.ini'), configuration(serverUrl, directory, port, settings));
  await chmod(directory, 0o755);

  const child = spawn(program, ['pgbouncer.ini'], {
    ...owner,
    cwd: directory,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const closed = once(child, 'close');
  let words = '';
  child.stderr.on('data', (chunk) => {
    words = (words + chunk).slice(-20_000);
  });
  const lastResort = () => child.kill('SIGKILL');
  process.once('exit', lastResort);
  const stop = async () => {
    // pgbouncer(1): SIGTERM ends it at once.
    child.kill('SIGTERM');
    await closed;
    process.removeListener('exit', lastResort);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await until(() => isListening(port), { what: 'PgBouncer to listen' });
  } catch (error) {
    await stop();
    throw new Error(`PgBouncer did not start: ${words}`, { cause: error });
  }
  return {
    through(url) {
      const pooled = new URL(url);
      pooled.hostname = '127.0.0.1';
      pooled.port = String(port);
      return pooled.href;
    },
    [Symbol.asyncDispose]: stop,
  };
}

function usersFile(serverUrl: string): string {
  const { username, password } = new URL(serverUrl);
  return `"${decodeURIComponent(username)}" "${decodeURIComponent(password)}"\n`;
}

function configuration(serverUrl: string, directory: string, port: number, settings: Settings): string {
  const { hostname, port: serverPort, username } = new URL(serverUrl);
  const all = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'scram-sha-256',
    auth_file: join(directory, 'users.txt'),
    auth_user: decodeURIComponent(username),
    auth_query: 'select rolname, rolpassword from pg_authid where rolname = $1',
    // For each role; a worker or a relay has up to some 20 sessions.
    default_pool_size: 60,
    max_client_conn: 300,
    ...settings,
  };
  return [
    '[databases]',
    `* = host=${hostname} port=${serverPort || 5432}`,
    '[pgbouncer]',
    ...Object.entries(all).map(([name, value]) => `${name} = ${value}`),
    '',
  ].join('\n');
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
