// What a message costs, and what it costs to wait for one: CPU, WAL, disk and memory. Throughput depends on the disk of
// the day; this does not. All of Postfix beside the relay and all of PostgreSQL, with the same sender and provider.
//
// A relay is warm once V8 has compiled what it runs all the time, which takes some thousand messages; what the first ones
// cost stands beside it.
import { setTimeout as pause } from 'node:timers/promises';
import { openDatabase } from '../../deploy/database.ts';
import { createTemplate, freshDatabase, type TestDatabase } from '../kit/database.ts';
import { startPostgres } from '../kit/postgres.ts';
import { type Stack, startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';
import { startReceiver } from '../worker/webhooks/receiver.ts';
import { diskBytes } from './disk.ts';
import { isDelivered, listen, poster } from './endpoint.ts';
import { sendLetters } from './letters.ts';
import { type Benchmark, type Measurement, median } from './measurement.ts';
import { measureSource, type Postfix, startPostfix, whyNoPostfix } from './postfix.ts';
import { cpuMsOf, postmasterOf, pssMbOf } from './processes.ts';
import { type Sink, startCountingSink, towards } from './sink.ts';

const rounds = 5;
const sessions = 50;
const connections = 10;
const messages = {
  cold: 4_000,
  warmUp: 10_000,
  postern: 6_000,
  postfix: 2_000,
  letters: 2_000,
  endpoint: 2_000,
};
const restSeconds = 60;
/** By then autovacuum has been through the new tables, which are transactions of the database as well. */
const settleSeconds = 150;

const relayOf = (sink: Sink) => ({
  ...towards(sink),
  // What it writes by default is part of what it costs.
  LOG_LEVEL: 'info',
  LOG_ADDRESSES: '',
  SMTP_MAX_CONNECTIONS: String(connections),
});

export const cost: Benchmark = async (say) => {
  await using server = await startPostgres({ kind: 'embedded' });
  const template = await createTemplate(server.url);
  await using sink = await startCountingSink();
  const idle = await (async () => {
    await using database = await freshDatabase(template);
    await using stack = await startStack({
      database,
      provider: false,
      relay: relayOf(sink),
      api: { SMTP_FROM_EMAIL: 'ann@example.com', LOG_LEVEL: 'info' },
      worker: { SMTP_FROM_EMAIL: 'ann@example.com', LOG_LEVEL: 'info' },
    });
    return await atRest(stack, database, server.url, say);
  })();

  await using database = await freshDatabase(template);
  await using stack = await startStack({
    database,
    processes: ['relay'],
    provider: false,
    relay: relayOf(sink),
  });
  return [
    ...(await perMessage(stack, database, sink, say)),
    await withEndpoint(stack, database, sink, say),
    ...idle,
  ];
};

/** What one message took. CPU in ms. */
type Spent = {
  readonly relay: number;
  readonly postgres: number;
  readonly postfix: number;
  readonly wal: number;
  readonly disk: number;
  readonly rate: number;
};

/** Sends so many messages to the port. */
type Source = (port: number, count: number) => Promise<unknown>;

const oneLetter: Source = (port, count) => measureSource({ port, messages: count, sessions, reuse: true });
const letters: Source = (port, count) => sendLetters({ port, messages: count, sessions });

async function perMessage(
  { relay }: Stack,
  database: TestDatabase,
  sink: Sink,
  say: (line: string) => void,
): Promise<Measurement[]> {
  const absent = await whyNoPostfix();
  if (absent) throw new Error(`smtp-source, which sends the mail, comes with Postfix: ${absent}`);
  await using postfix = await startPostfix({
    relayTo: sink.port,
    settings: [
      `smtp_destination_concurrency_limit = ${connections}`,
      `initial_destination_concurrency = ${connections}`,
    ],
  });
  const postmaster = await postmasterOf(database);

  const spend = async (what: string, source: Source, count: number): Promise<Spent> => {
    const ofPostfix = await cpuThrough(postfix, sink, source);
    const look = async () => ({
      relay: cpuMsOf(relay.process.pid),
      postgres: cpuMsOf(postmaster),
      wal: await walBytes(database),
      disk: await diskBytes(database),
    });
    const before = await look();
    const seconds = await passThrough(sink, relay.port, source, count);
    const after = await look();
    const each = (of: keyof typeof after) => (after[of] - before[of]) / count;
    const spent = {
      relay: each('relay'),
      postgres: each('postgres'),
      postfix: ofPostfix,
      wal: each('wal'),
      disk: each('disk'),
      rate: count / seconds,
    };
    say(`${what}: ${Object.entries(spent).map(([name, value]) => `${name} ${value.toPrecision(3)}`)}`);
    return spent;
  };

  const cold = await spend('cold', oneLetter, messages.cold);
  await passThrough(sink, relay.port, oneLetter, messages.warmUp);
  const warm: Spent[] = [];
  for (let round = 0; round < rounds; round++) warm.push(await spend('warm', oneLetter, messages.postern));
  const written: Spent[] = [];
  for (let round = 0; round < rounds; round++)
    written.push(await spend('text and HTML', letters, messages.letters));

  const middle = (spent: readonly Spent[], of: (round: Spent) => number) => median(spent.map(of));
  const both = ({ relay: ofRelay, postgres }: Spent) => ofRelay + postgres;
  const cpu = (what: string, spent: readonly Spent[], target: string): Measurement => ({
    what,
    unit: 'ms',
    postern: middle(spent, both),
    postfix: middle(spent, (round) => round.postfix),
    target,
    detail: { rounds: spent, connections },
  });
  return [
    cpu('CPU per message, end to end, relay and PostgreSQL', warm, '≤ 0.35 × Postfix'),
    {
      what: 'of it the relay',
      unit: 'ms',
      postern: middle(warm, (round) => round.relay),
      target: 'reported',
    },
    {
      what: 'of it PostgreSQL',
      unit: 'ms',
      postern: middle(warm, (round) => round.postgres),
      target: 'reported',
    },
    cpu(`the same, the first ${messages.cold} of a new relay`, [cold], 'reported'),
    cpu('the same, text and HTML of 4 KB', written, 'reported'),
    {
      what: 'WAL per message, text and HTML of 4 KB',
      unit: 'KB',
      postern: middle(written, (round) => round.wal) / 1_000,
      target: '≤ 6.2 KB',
    },
    {
      what: 'disk per message, text and HTML of 4 KB, right after sending',
      unit: 'KB',
      postern: middle(written, (round) => round.disk) / 1_000,
      target: '≤ 6.5 KB',
    },
  ];
}

/** With an endpoint of webhooks: what a message costs until its events are delivered as well. */
async function withEndpoint(
  { relay }: Stack,
  database: TestDatabase,
  sink: Sink,
  say: (line: string) => void,
): Promise<Measurement> {
  await using endpoint = await startReceiver();
  await listen(database, endpoint);
  await using posting = await startStack({
    database,
    processes: ['worker'],
    provider: false,
    worker: poster,
  });
  const postmaster = await postmasterOf(database);
  const pids = [relay.process.pid, postmaster, posting.worker.process.pid];
  const spent: number[][] = [];
  for (let round = 0; round < rounds; round++) {
    const before = pids.map(cpuMsOf);
    await passThrough(sink, relay.port, oneLetter, messages.endpoint);
    await until(() => isDelivered(database, endpoint), { timeoutMs: 300_000, what: 'all events to arrive' });
    spent.push(pids.map((pid, at) => (cpuMsOf(pid) - (before[at] ?? 0)) / messages.endpoint));
    say(`with an endpoint: relay, PostgreSQL and worker ${spent.at(-1)?.map((each) => each.toPrecision(3))}`);
  }
  return {
    what: 'CPU per message with an endpoint of webhooks, 2 events delivered, worker included',
    unit: 'ms',
    postern: median(spent.map((round) => round.reduce((sum, each) => sum + each, 0))),
    target: 'reported',
    detail: { rounds: spent },
  };
}

/** From the first connection to the last message at the provider, in seconds. */
async function passThrough(sink: Sink, port: number, source: Source, count: number): Promise<number> {
  const before = sink.taken;
  const started = performance.now();
  await source(port, count);
  await until(() => sink.taken >= before + count, { timeoutMs: 300_000, what: 'everything to arrive' });
  return (performance.now() - started) / 1_000;
}

async function cpuThrough({ port, master }: Postfix, sink: Sink, source: Source): Promise<number> {
  const before = cpuMsOf(master);
  await passThrough(sink, port, source, messages.postfix);
  return (cpuMsOf(master) - before) / messages.postfix;
}

/** Three roles that have nothing to do, after a while in which they had nothing to do either. */
async function atRest(
  { api, relay, worker }: Stack,
  database: TestDatabase,
  maintenanceUrl: string,
  say: (line: string) => void,
): Promise<Measurement[]> {
  const postmaster = await postmasterOf(database);
  const pids = [api, relay, worker].map(({ process: { pid } }) => pid);
  // Asked over another database: what we ask must not count.
  await using elsewhere = openDatabase({ url: maintenanceUrl, applicationName: 'bench', max: 1 });
  const look = async () => {
    const { rows } = await elsewhere.query<{ transactions: number; wal: number }>(
      `select (xact_commit + xact_rollback)::integer as transactions,
         (pg_current_wal_insert_lsn() - '0/0')::float8 as wal
       from pg_stat_database where datname = $1`,
      [database.name],
    );
    const [seen] = rows;
    if (!seen) throw new Error(`no statistics of ${database.name}`);
    return { ...seen, processes: pids.map(cpuMsOf), postgres: cpuMsOf(postmaster), at: performance.now() };
  };
  await pause(settleSeconds * 1_000);
  const before = await look();
  await pause(restSeconds * 1_000);
  const after = await look();
  const seconds = (after.at - before.at) / 1_000;
  const perSecond = (of: (seen: typeof after) => number) => (of(after) - of(before)) / seconds;
  const ours = after.processes.map((_, i) => perSecond(({ processes }) => processes[i] ?? 0) / 10);
  const postgres = perSecond((seen) => seen.postgres) / 10;
  const pss = pids.map(pssMbOf);
  const core = [...ours, postgres].reduce((sum, each) => sum + each, 0);
  const memory = pss.reduce((sum, each) => sum + each, 0);
  const transactions = perSecond((seen) => seen.transactions);
  const detail = { api: ours[0], relay: ours[1], worker: ours[2], postgres, restSeconds };
  say(
    `at rest: ${transactions.toFixed(1)} transactions/s, ${core.toFixed(1)} % of a core, ${memory.toFixed(0)} MB`,
  );
  return [
    { what: 'at rest, three roles: transactions', unit: '/s', postern: transactions, target: '≤ 1 /s' },
    {
      what: 'at rest, three roles and PostgreSQL: CPU',
      unit: '% of a core',
      postern: core,
      target: '≤ 1 %',
      detail,
    },
    {
      what: 'at rest: WAL',
      unit: 'KB/min',
      postern: (perSecond(({ wal }) => wal) * 60) / 1_000,
      target: 'reported',
    },
    {
      what: 'at rest: PSS of the three',
      unit: 'MB',
      postern: memory,
      target: '≤ 170 MB',
      detail: { api: pss[0], relay: pss[1], worker: pss[2] },
    },
  ];
}

async function walBytes({ query }: TestDatabase): Promise<number> {
  const { rows } = await query<{ bytes: number }>(
    "select (pg_current_wal_insert_lsn() - '0/0')::float8 as bytes",
  );
  return rows[0]?.bytes ?? Number.NaN;
}
