// A primary that is killed under load, and a streaming standby that takes over: as CloudNativePG, Patroni and managed
// databases do it, with a real standby and with all of our processes.
import { expect, test } from 'vitest';
import { openDatabase } from '../../deploy/database.ts';
import { lookForMissingCommits } from '../../relay/doctor/missing-commits.ts';
import { startPooler, whyNoPooler } from '../kit/pooler.ts';
import { type Pair, startPair } from '../kit/primary-and-standby.ts';
import { delay, startProvider } from '../kit/provider.ts';
import { type Stack, startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';
import { breachesOf } from '../prove/ledger.ts';
import { readHistory } from '../prove/records.ts';
import { comeToRest, type Load, startLoad } from './load.ts';

const noPooler = whyNoPooler();
if (noPooler) console.info(`Skipping promotions behind a pooler: ${noPooler}.`);

const minutes = 60_000;
/** Ten times what it should take, for machines that are busy. */
const generousMs = 60_000;

type Promotion = { readonly checkpoint: boolean; readonly restart: boolean; readonly pooler?: boolean };

/** Slower than the load, so that mail waits when the primary is lost. */
async function slowProvider() {
  const provider = await startProvider({ keepBytes: 4_096 });
  provider.on('dot', delay(40));
  return provider;
}

async function startAll(url: string, pair: Pair, relays = 1): Promise<Stack> {
  const provider = await slowProvider();
  const common = { SMTP_FROM_EMAIL: provider.user, LOG_LEVEL: 'info' };
  const stack = await startStack({
    database: { url, query: pair.query },
    provider,
    relays,
    relay: {
      ...common,
      SMTP_ALLOWED_SENDERS: '*@example.com',
      RETRY_SCHEDULE: '1s,2s,4s',
      SMTP_MAX_CONNECTIONS: '2',
    },
    api: common,
    worker: common,
  });
  return Object.assign(stack, { [Symbol.asyncDispose]: disposeBoth(stack, provider) });
}

function disposeBoth(stack: AsyncDisposable, provider: AsyncDisposable): () => Promise<void> {
  const stop = stack[Symbol.asyncDispose].bind(stack);
  return async () => {
    await stop();
    await provider[Symbol.asyncDispose]();
  };
}

const processesOf = ({ relays, apis, workers }: Stack) => [...relays, ...workers, ...apis];

async function killAll(stack: Stack): Promise<void> {
  for (const { process } of processesOf(stack)) process.kill('SIGKILL');
  await Promise.all(processesOf(stack).map(({ process }) => process.exited));
}

/** Waits until mail waits and leaves at the same time. */
async function underLoad({ provider, database }: Stack): Promise<void> {
  await until(
    async () => {
      const { rows } = await database.query<{ waiting: number }>(
        `select count(*)::integer as waiting from recipient where status = 'queued'`,
      );
      return provider.messages.length > 60 && (rows[0]?.waiting ?? 0) > 60;
    },
    { what: 'mail to wait while mail leaves', timeoutMs: generousMs },
  );
}

/** @returns how long after the promotion mail was taken and mail left, in seconds */
async function flowsAgain({ provider }: Stack, load: Load): Promise<{ taken: number; left: number }> {
  const promotedAt = performance.now();
  const since = () => (performance.now() - promotedAt) / 1_000;
  const [sent, acknowledged] = [provider.messages.length, load.acknowledged];
  const [taken, left] = await Promise.all([
    until(() => load.acknowledged > acknowledged && since(), {
      what: 'mail to be taken',
      timeoutMs: generousMs,
    }),
    until(() => provider.messages.length > sent + 2 && since(), {
      what: 'mail to leave',
      timeoutMs: generousMs,
    }),
  ]);
  return { taken, left };
}

const promotions: readonly Promotion[] = [
  { checkpoint: false, restart: false },
  { checkpoint: true, restart: false },
  { checkpoint: false, restart: true },
  { checkpoint: true, restart: true },
  ...(noPooler
    ? []
    : [
        { checkpoint: true, restart: false, pooler: true },
        { checkpoint: true, restart: true, pooler: true },
      ]),
];

test.concurrent.for(promotions)(
  'a synchronous standby is promoted under load: nothing is lost, nothing is held %o',
  { timeout: 6 * minutes },
  async ({ checkpoint, restart, pooler = false }) => {
    await using pair = await startPair({ synchronous: true });
    await using bouncer = pooler
      ? await startPooler(pair.url, { pool_mode: 'session', server_login_retry: 1 })
      : undefined;
    await using stack = await startAll(bouncer?.through(pair.url) ?? pair.url, pair);
    await using load = startLoad(stack, 17);
    await underLoad(stack);

    await pair.killPrimary();
    if (restart) await killAll(stack);
    await pair.promote();
    if (checkpoint) await pair.query('checkpoint');
    const [flow] = await Promise.all([
      flowsAgain(stack, load),
      ...(restart ? processesOf(stack).map((slot) => slot.start()) : []),
    ]);
    const how = JSON.stringify({ checkpoint, restart, pooler });
    console.info(
      `Promotion ${how}: mail taken after ${flow.taken.toFixed(2)} s, sent after ${flow.left.toFixed(2)} s`,
    );

    stack.provider.behave();
    await load.stop();
    await comeToRest(stack.database);
    const reckoning = await load.reckon();
    expect(breachesOf(reckoning)).toEqual([]);
    expect(load.complaints).toEqual([]);
    const waiting = Object.fromEntries(reckoning.waiting);
    // A relay that was killed between the final dot and the reply leaves what SMTP itself cannot tell (RFC 1047).
    if (restart) delete waiting['uncertain: relay-lost'];
    expect(waiting).toEqual({});
    expect(stack.output).toContain('"event":"database-promoted"');
    expect(stack.output).not.toContain('database-restored');
  },
);

type Loss = {
  /** The time of the last commit that the standby has. */
  readonly since: Date;
  /** When the primary was killed, and when the last of its sessions was gone: until then it answers. */
  readonly killedAt: Date;
  readonly until: Date;
  /** Who was acknowledged before that commit, and before the primary was killed. */
  readonly before: ReadonlySet<string>;
  readonly beforeKill: ReadonlySet<string>;
  /** Whom the provider had taken mail for by then. */
  readonly taken: ReadonlySet<string>;
};

const takenBy = ({ provider }: Stack) =>
  provider.messages
    .flatMap(({ envelope }) => envelope.recipients)
    .filter((address) => /@example\.net$/.test(address));

/** Kills the primary of a standby that lacks its last commits: results, marks, accepted mail, changes by the api. */
async function loseCommits(pair: Pair, stack: Stack, load: Load): Promise<Loss> {
  // Committed before the cut is acknowledged a moment later, so this set may lack some of it, and that is no harm.
  const before = load.recipients();
  const since = await pair.cutReplication();
  const [sent, acknowledged] = [stack.provider.messages.length, load.acknowledged];
  await until(() => stack.provider.messages.length > sent + 30 && load.acknowledged > acknowledged + 30, {
    what: 'commits that the standby does not get',
  });
  const killedAt = new Date();
  await pair.killPrimary();
  const until_ = new Date();
  const taken = new Set(takenBy(stack));
  return { since, killedAt, until: until_, before, beforeKill: load.recipients(), taken };
}

type AlertLine = { readonly kind?: unknown; readonly detail?: unknown };

async function missingCommitsAlert({ relays }: Stack): Promise<{ since: Date; until: Date; detail: string }> {
  const detail = await until(
    () =>
      relays
        .flatMap(({ process }) => process.log as readonly AlertLine[])
        .find(({ kind }) => kind === 'database-restored')?.detail,
    { what: 'the alert', timeoutMs: generousMs },
  );
  const [, since = '', until_ = ''] = /from (\S+) to (\S+): /.exec(String(detail)) ?? [];
  return { since: new Date(since), until: new Date(until_), detail: String(detail) };
}

/** Signs of life come twice a second. */
function expectWindow(
  named: { since: Date; until: Date; detail: string },
  { since, killedAt, until }: Loss,
): void {
  expect(named.since, named.detail).toEqual(since);
  expect(named.until.getTime(), named.detail).toBeLessThanOrEqual(until.getTime());
  expect(named.until.getTime(), named.detail).toBeGreaterThan(killedAt.getTime() - 1_500);
}

/** The doctor and the metric tell the same as the alert. */
async function expectTold({ database, relay }: Stack, { since, until }: { since: Date; until: Date }) {
  await using asked = openDatabase({ url: database.url, applicationName: 'promotion-test', max: 1 });
  expect(await lookForMissingCommits(asked)).toEqual([
    expect.stringContaining(`from ${since.toISOString()} to ${until.toISOString()}`),
  ]);
  const metrics = await (await fetch(`${relay.healthUrl}/metrics`)).text();
  const [, told] = /^postern_database_commits_missing_until_seconds\S* (\S+)$/m.exec(metrics) ?? [];
  expect(Number(told) * 1_000).toBeCloseTo(until.getTime(), -1);
}

/** Recipients that were promised before the primary was killed and got two copies, with their timelines. */
async function sentTwice(stack: Stack, { beforeKill }: Loss): Promise<string[]> {
  // A client that lost our answer comes again: mail without a Message-ID is then another mail, with other bytes.
  const copies = Map.groupBy(
    stack.provider.messages.flatMap(({ envelope, messageId, sha256 }) =>
      envelope.recipients.map((recipient) => ({ recipient, key: `${recipient} ${messageId || sha256}` })),
    ),
    ({ key }) => key,
  );
  const twice = [...copies.values()].flatMap(([first, second]) =>
    first && second && beforeKill.has(first.recipient) ? first.recipient : [],
  );
  return Promise.all(
    twice.map(async (recipient) =>
      [recipient, ...(await readHistory(stack.database, recipient))].join('\n  '),
    ),
  );
}

async function lostBefore(load: Load, { before }: Loss): Promise<string[]> {
  const { lost } = await load.reckon();
  return lost.map(({ recipient }) => recipient).filter((recipient) => before.has(recipient));
}

async function heldRecipients({ database }: Stack): Promise<string[]> {
  const { rows } = await database.query<{ address: string }>(
    `select address from recipient where status = 'held'
     union all
     select a.value ->> 'address' from email e cross join jsonb_array_elements(e.recipients) a
     where e.status = 'held' and e.queue_id is null`,
  );
  return rows.map(({ address }) => address);
}

test.concurrent(
  'an asynchronous standby lacks commits: living relays write again what they know, and only what left is held',
  async () => {
    await using pair = await startPair({ synchronous: false });
    await using stack = await startAll(pair.url, pair, 2);
    await using load = startLoad(stack, 18);
    await underLoad(stack);
    const loss = await loseCommits(pair, stack, load);
    await pair.promote();
    const flow = await flowsAgain(stack, load);
    console.info(`Promotion without the last commits: mail sent after ${flow.left.toFixed(2)} s`);

    const named = await missingCommitsAlert(stack);
    console.info(named.detail);
    expectWindow(named, loss);
    await expectTold(stack, named);
    stack.provider.behave();
    await load.stop();
    await comeToRest(stack.database);
    expect(await sentTwice(stack, loss)).toEqual([]);
    expect(await lostBefore(load, loss)).toEqual([]);
    const held = await heldRecipients(stack);
    expect(held.filter((recipient) => !loss.taken.has(recipient))).toEqual([]);
    expect(stack.output).toMatch(/"event":"commits-missing".*"resultsWrittenAgain":[1-9]/);
  },
  6 * minutes,
);

test.concurrent(
  'a relay is lost with a primary whose standby lacks commits: what was due by then is held, the rest leaves',
  async () => {
    await using pair = await startPair({ synchronous: false });
    await using stack = await startAll(pair.url, pair, 2);
    await using load = startLoad(stack, 19);
    await underLoad(stack);
    const loss = await loseCommits(pair, stack, load);
    stack.relays[1]?.process.kill('SIGKILL');
    await pair.promote();
    await flowsAgain(stack, load);

    const named = await missingCommitsAlert(stack);
    expectWindow(named, loss);
    expect(named.detail).toContain('A relay that sent mail then is gone');
    stack.provider.behave();
    await load.stop();
    await comeToRest(stack.database);
    expect(await sentTwice(stack, loss)).toEqual([]);
    expect(await lostBefore(load, loss)).toEqual([]);
    const held = await heldRecipients(stack);
    expect(held.length).toBeGreaterThan(0);
    // What was promised later is not of the window.
    expect(held.filter((recipient) => !loss.beforeKill.has(recipient))).toEqual([]);
  },
  6 * minutes,
);

test.concurrent(
  'an asynchronous standby with all processes restarted at once counts as promoted, and mail leaves',
  async () => {
    await using pair = await startPair({ synchronous: false });
    await using stack = await startAll(pair.url, pair);
    await using load = startLoad(stack, 20);
    await underLoad(stack);
    const loss = await loseCommits(pair, stack, load);
    await killAll(stack);
    await pair.promote();
    await Promise.all([flowsAgain(stack, load), ...processesOf(stack).map((slot) => slot.start())]);
    stack.provider.behave();
    await load.stop();
    await comeToRest(stack.database);
    expect(await lostBefore(load, loss)).toEqual([]);
    expect(await heldRecipients(stack)).toEqual([]);
    expect(stack.output).toContain('"event":"database-promoted"');
  },
  6 * minutes,
);
