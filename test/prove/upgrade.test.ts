// From the release before to this checkout: its processes on the new schema, and then ours in their place, one after the
// other and under load; and a backup of it, restored on another server.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { glob, mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { bringUpToDate, emptyDatabase, type TestDatabase } from '../kit/database.ts';
import { startEmbeddedPostgres } from '../kit/embedded.ts';
import { installPackages, type PreviousRelease, previousRelease } from '../kit/previous-release.ts';
import { startProcess } from '../kit/process.ts';
import { type Provider, startProvider } from '../kit/provider.ts';
import { type Stack, startStack } from '../kit/stack.ts';
import { seed as drawSeed } from '../kit/thoroughness.ts';
import { until } from '../kit/until.ts';
import { type Acknowledgements, openAcknowledgements } from './acknowledgements.ts';
import { chanceOf } from './chance.ts';
import { breachesOf, type Reckoning, reckon } from './ledger.ts';
import { load } from './load.ts';
import { readHistory, readRecords, settle } from './records.ts';
import { keepTimeGoing } from './time.ts';

const run = promisify(execFile);

const sender = 'mailer@example.com';
let before: PreviousRelease | undefined;

beforeAll(async () => {
  before = await previousRelease();
  if (before) await installPackages(before);
});

afterAll(async () => before?.[Symbol.asyncDispose]());

test('processes of the release before work on the new schema, and are replaced one by one', async (context) => {
  if (!before) return context.skip();
  await using provider = await startProvider();
  await using database = await databaseOf(before, inject('template').serverUrl);
  await using stack = await stackOf(database, provider, 2);
  // It had no roles: all its processes connect as the owner.
  const old = [{ DATABASE_URL: database.url }, before.directory] as const;
  for (const slot of slotsOf(stack)) await slot.start(...old);

  const acknowledgements = openAcknowledgements();
  await using _ = hurryTime(database);
  await using mail = startLoad(stack, acknowledgements);
  await mail.more(40);
  await bringUpToDate(database.url);
  await mail.more(40);
  // As a platform does that restarts its containers in the middle of a deployment.
  for (const slot of [stack.relay, stack.worker, stack.api]) {
    slot.process.kill('SIGKILL');
    await slot.process.exited;
    await slot.start(...old);
  }
  await mail.more(40);
  for (const slot of slotsOf(stack)) {
    await slot.process.stop();
    await slot.start();
    await mail.more(20);
  }
  await mail.stop();
  expect(await settle(database), 'recipients that still wait').toBe(0);
  const waiting = new Map((await expectPromisesKept(stack, acknowledgements)).waiting);
  // The relay that was killed between a final dot and its reply leaves what SMTP itself cannot tell (RFC 1047).
  waiting.delete('uncertain: relay-lost');
  expect(waiting).toEqual(new Map());
}, 600_000);

test('a backup of the release before is restored, migrated, and goes on', async (context) => {
  if (!before) return context.skip();
  await using source = await dumpingServer();
  if (!source) {
    console.info('Skipping the backup of the release before: there is no pg_dump that fits a server.');
    return context.skip();
  }
  await using provider = await startProvider();
  await using database = await databaseOf(before, source.url);
  // Nobody takes the mail: it waits in the backup.
  await provider.shut();
  const acknowledgements = await fill(database, provider, before);
  await using server = await startEmbeddedPostgres();
  await using restored = await emptyDatabase(server.url);
  await copyAsBackup(source.programs, database, restored);
  const waits = "select from recipient where status in ('queued', 'deferred')";
  const { rowCount: waiting } = await restored.query(waits);
  expect(waiting).toBeGreaterThan(0);

  await bringUpToDate(restored.url);
  await provider.open();
  await using stack = await stackOf(restored, provider);
  for (const slot of slotsOf(stack)) await slot.start();
  await until(
    async () => {
      const { rows } = await restored.query('select restored_at, restore_noticed_at from database_identity');
      return rows[0]?.restore_noticed_at && rows[0].restored_at === null;
    },
    { what: 'the mail of the backup to be held', timeoutMs: 120_000 },
  );
  const isHeld = "status = 'held' and reason = 'database-restored'";
  expect((await restored.query(`select from recipient where ${isHeld}`)).rowCount).toBe(waiting);
  const { rows: emails } = await restored.query<{ id: string }>(`select id from email where ${isHeld}`);
  for (const { id } of emails)
    expect(await stack.api.post(`/api/v1/emails/${id}/retry`)).toMatchObject({ status: 200 });
  // What other applications submitted has no email, and is released by hand.
  await restored.query(
    `update recipient set status = 'queued', reason = null, reason_detail = null, next_attempt_at = now()
     where ${isHeld} and email_id is null`,
  );
  await using _ = hurryTime(restored);
  expect(await settle(restored), 'recipients that still wait').toBe(0);
  const reckoning = await expectPromisesKept(stack, acknowledgements);
  expect(reckoning.waiting).toEqual(new Map());
}, 600_000);

/** Mail that the release before took, and could not send; all of its processes have ended then. */
async function fill(database: TestDatabase, provider: Provider, { directory }: PreviousRelease) {
  await using stack = await stackOf(database, provider);
  const acknowledgements = openAcknowledgements();
  for (const slot of slotsOf(stack)) await slot.start({ DATABASE_URL: database.url }, directory);
  await using mail = startLoad(stack, acknowledgements);
  await mail.more(60, { sent: 0 });
  await mail.stop();
  return acknowledgements;
}

/**
 * PostgreSQL's own programs, from its Debian packages: what npm brings has no pg_dump. Without a server of theirs they
 * are used with that of this run, if it is not newer than they are.
 */
async function dumpingServer(): Promise<(AsyncDisposable & { url: string; programs: string }) | undefined> {
  const found = (await Array.fromAsync(glob('/usr/lib/postgresql/*/bin/pg_dump'))).sort(byVersion).at(-1);
  if (found === undefined) return undefined;
  const programs = dirname(found);
  if (existsSync(join(programs, 'postgres')))
    return Object.assign(await startEmbeddedPostgres({ native: dirname(programs) }), { programs });
  const { serverUrl } = inject('template');
  await using database = await emptyDatabase(serverUrl);
  const { rows } = await database.query<{ major: number }>(
    "select current_setting('server_version_num')::integer / 10000 as major",
  );
  return versionOf(found) < Number(rows[0]?.major)
    ? undefined
    : { url: serverUrl, programs, [Symbol.asyncDispose]: async () => {} };
}

const versionOf = (path: string) => Number(/postgresql\/(\d+)/.exec(path)?.[1]);
const byVersion = (a: string, b: string) => versionOf(a) - versionOf(b);

/** As deploy/README.md says it. */
async function copyAsBackup(programs: string, from: TestDatabase, to: TestDatabase): Promise<void> {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'postern-backup-'));
  const file = join(folder.path, 'postern.dump');
  await run(join(programs, 'pg_dump'), ['--format=custom', '--file', file, from.url]);
  await run(join(programs, 'pg_restore'), ['--exit-on-error', '--dbname', to.url, file]);
}

/** Until `stop`; `more` waits until that many more were acknowledged, and `sent` as well where there is a way out. */
function startLoad(stack: Stack, acknowledgements: Acknowledgements) {
  const seed = drawSeed();
  console.info(`seed ${seed}`);
  const ending = new AbortController();
  const loading = load({
    ...{ stack, acknowledgements, sender, rate: 40, messages: Number.POSITIVE_INFINITY },
    ...{ submitters: 4, askers: 8 },
    chance: chanceOf(seed),
    signal: ending.signal,
  });
  const countSent = async () =>
    (await stack.database.query("select from recipient where status = 'sent'")).rowCount ?? 0;
  const stop = async () => {
    ending.abort();
    await loading;
  };
  return {
    stop,
    [Symbol.asyncDispose]: stop,
    async more(count: number, { sent = count }: { sent?: number } = {}): Promise<void> {
      const before = { acknowledged: acknowledgements.count, sent: await countSent() };
      await until(
        async () =>
          acknowledgements.count >= before.acknowledged + count && (await countSent()) >= before.sent + sent,
        { what: `${count} more mails to be acknowledged, ${sent} to be sent`, timeoutMs: 120_000 },
      ).catch((error: Error) => {
        throw new Error(`${error.message}\n${stack.output.slice(-5_000)}`);
      });
    },
  };
}

/** A process that was killed at the final dot leaves mail in doubt; nobody can still be at it. */
function hurryTime(database: TestDatabase): AsyncDisposable {
  const over = new AbortController();
  const time = keepTimeGoing(database, { signal: over.signal, inDoubt: 2 });
  return {
    async [Symbol.asyncDispose]() {
      over.abort();
      await time;
    },
  };
}

async function expectPromisesKept(
  { database, provider }: Stack,
  { all, complaints, unrecognisable }: Acknowledgements,
): Promise<Reckoning> {
  const taken = provider.messages.flatMap(({ envelope, sha256 }) =>
    envelope.recipients.map((recipient) => ({ recipient, sha256 })),
  );
  const recorded = await readRecords(database);
  const reckoning = reckon({ acknowledged: all, taken, recorded, refusedForGood: new Set(), unrecognisable });
  const breaches = [...breachesOf(reckoning), ...complaints];
  const [recipient] = breaches.flatMap((breach) => /m\d+-\d@example\.net/.exec(breach)?.[0] ?? []);
  if (recipient) console.info((await readHistory(database, recipient)).join('\n'));
  expect(breaches).toEqual([]);
  return reckoning;
}

/** A database as the release before made it. */
async function databaseOf({ directory }: PreviousRelease, serverUrl: string): Promise<TestDatabase> {
  const database = await emptyDatabase(serverUrl);
  const migration = await startProcess({
    script: 'deploy/migrate.ts',
    directory,
    environment: { DATABASE_URL: database.url, LOG_LEVEL: 'warn' },
  });
  const { code } = await migration.exited;
  expect(code, migration.output).toBe(0);
  return database;
}

const stackOf = (database: TestDatabase, provider: Provider, each = 1) =>
  startStack({
    ...{ database, provider },
    processes: [],
    ...{ apis: each, relays: each, workers: each },
    relay: { SMTP_ALLOWED_SENDERS: '*@example.com', RETRY_SCHEDULE: '1s,2s,4s', LOG_LEVEL: 'info' },
    api: { LOG_LEVEL: 'info' },
    worker: { LOG_LEVEL: 'info' },
  });

const slotsOf = ({ relays, workers, apis }: Stack) => [...relays, ...workers, ...apis];
