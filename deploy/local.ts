// `npm start`: all of Postern on one machine, with nothing installed. An embedded PostgreSQL, the three
// processes as they run in production, and a stand-in provider as long as SMTP_HOST is not set.
// Everything it keeps is in .postern/: remove that folder to begin anew. `npm start -- --folder DIRECTORY` keeps it
// elsewhere, so that two can run side by side. `npm run dev` is the same with --watch: a process is restarted when
// its files change.
import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { EnvironmentError } from './environment.ts';
import { type Child, startChild } from './local/child.ts';
import { claimFolder } from './local/folder.ts';
import { greet } from './local/greeting.ts';
import { watchNpm } from './local/npm.ts';
import { makePlan, readWishes } from './local/plan.ts';
import { startPostgres } from './local/postgres.ts';
import { Trouble } from './local/trouble.ts';
import { type Watched, watchSources } from './local/watch.ts';
import { startWatchdog } from './local/watchdog.ts';
import { openLog } from './log.ts';
import { migrate } from './migrate.ts';

const root = dirname(import.meta.dirname);
const { values: flags } = parseArgs({
  options: { folder: { type: 'string' }, watch: { type: 'boolean', default: false } },
});
const folder = flags.folder ? resolve(flags.folder) : join(root, '.postern');
const resources = new AsyncDisposableStack();
let stopping: { readonly since: number; readonly done: Promise<never> } | undefined;

// Children run in sessions of their own, so that Ctrl-C reaches only us and everything is stopped in order.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // npm forwards the Ctrl-C that the terminal has given us already; whoever presses it again a second later
    // does not want to wait. The children are killed as we exit, which loses nothing that was promised.
    if (stopping && performance.now() - stopping.since > 1_000) process.exit(1);
    if (!stopping) console.log('\nStopping …');
    void stop(0);
  });
}
// `npm start | head` must not leave a database behind.
process.stdout.on('error', () => void stop(1));

try {
  await start();
} catch (error) {
  if (!stopping) {
    const isPlain = error instanceof Trouble || error instanceof EnvironmentError;
    console.error(isPlain ? `\n${error.message}` : error);
    await stop(1);
  }
}

async function start(): Promise<void> {
  await mkdir(folder, { recursive: true });
  const claim = resources.use(await claimFolder(folder));
  startWatchdog(folder);
  void watchNpm(process.env, () => void stop(1));
  const plan = await makePlan(await readWishes(root, process.env), folder);

  let { databaseUrl } = plan;
  if (plan.postgres) {
    console.log('PostgreSQL   starting, embedded');
    const postgres = resources.use(await startPostgres({ folder, ...plan.postgres }));
    claim.remember(postgres.pid, 'postgres');
    databaseUrl = postgres.url;
  }
  const url = databaseUrl as string;
  await migrate(url, openLog('local', 'warn'), { roles: plan.roles }).catch((error: Error) => {
    const wayOut = plan.postgres ? `\nRemove ${folder} to begin with an empty database.` : '';
    throw new Trouble(`${error.message}${wayOut}`);
  });

  // The first start fills it, later ones take half the time.
  const compiled = { NODE_COMPILE_CACHE: join(folder, 'compiled') };
  const common = { folder, waitsForChange: flags.watch, onSpawn: claim.remember, onGiveUp };
  const children = new Map<Watched, Child>();
  if (plan.standIn) {
    const { flags: standInFlags, webUrl } = plan.standIn;
    const script = join(root, 'relay', 'stand-in', 'main.ts');
    const standIn = resources.use(
      await startChild({
        ...common,
        name: 'stand-in',
        script,
        flags: standInFlags,
        environment: { ...process.env, ...compiled },
      }),
    );
    children.set('stand-in', standIn);
    // The relay reads the stand-in's CA when it starts.
    await standIn.ready(webUrl);
  }
  const processes = ['relay', 'worker', 'api'] as const;
  const starts = [];
  for (const name of processes) {
    const script = join(root, name, 'main.ts');
    const environment = { ...plan.environmentOf(name, url), ...compiled };
    const child = resources.use(
      await startChild({ ...common, name, script, flags: [], environment, isNoise: plan.isNoise }),
    );
    children.set(name, child);
    starts.push(child.ready(plan.readiness[name]));
  }
  await Promise.all(starts);
  if (stopping) return;
  if (flags.watch) {
    resources.use(watchSources(root, (name, path) => children.get(name)?.restart(`${path} has changed`)));
  }
  greet(plan, { databaseUrl: url, folder, isWatching: flags.watch });
}

/** What cannot start is for the person at the terminal to put right; running on without it would only confuse. */
function onGiveUp(words: string): void {
  if (stopping) return;
  console.error(`\n${words}`);
  void stop(1);
}

function stop(exitCode: number): Promise<never> {
  stopping ??= { since: performance.now(), done: closeAll(exitCode) };
  return stopping.done;
}

async function closeAll(exitCode: number): Promise<never> {
  try {
    await resources.disposeAsync();
    process.exit(exitCode);
  } catch (error) {
    console.error(error);
    process.exit(1);
  }
}
