// Whether a long queue makes everything slow: new mail that passes a million others which wait for later, and the
// backlog of a million after a long outage, each against a queue of a thousand. Same database, same relay, same run.
import { createTemplate, freshDatabase, type TestDatabase } from '../kit/database.ts';
import { startPostgres } from '../kit/postgres.ts';
import { startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';
import { type Benchmark, type Measurement, median } from './measurement.ts';
import { measureSource, whyNoPostfix } from './postfix.ts';
import { type Sink, startCountingSink } from './sink.ts';

const few = 1_000;
const many = 1_000_000;
const seedBatch = 50_000;
const rounds = 3;
const sessions = 20;
const passing = 3_000;
const drained = 6_000;
const patience = { timeoutMs: 300_000, what: 'the mail to leave' };

export const queue: Benchmark = async (say) => {
  const absent = await whyNoPostfix();
  if (absent) throw new Error(`smtp-source, which sends the mail, comes with Postfix: ${absent}`);
  await using server = await startPostgres({ kind: 'embedded' });
  await using database = await freshDatabase(await createTemplate(server.url));
  await using sink = await startCountingSink();
  const run = <T>(work: (port: number) => Promise<T>) => withRelay(database, sink, work);

  const passes = { few: [] as number[], many: [] as number[] };
  const drains = { few: [] as number[], many: [] as number[] };
  for (const [size, waiting] of [
    ['few', few],
    ['many', many],
  ] as const) {
    await fill(database, waiting, say);
    await run(async (port) => {
      for (let round = 0; round < rounds; round++) passes[size].push(await pass(sink, port));
    });
    // The others become due; for a short queue enough of them to measure something.
    await makeDue(database, size === 'few' ? drained : waiting);
    await run(async () => {
      const before = sink.taken;
      await until(() => sink.taken > before, patience);
      const began = performance.now();
      const first = sink.taken;
      await until(() => sink.taken >= before + drained, patience);
      drains[size].push((sink.taken - first) / ((performance.now() - began) / 1_000));
    });
    say(
      `${waiting} waiting: ${median(passes[size]).toFixed(0)}/s pass, backlog drains at ${drains[size][0]?.toFixed(0)}/s`,
    );
  }
  const ratio = (rates: { few: number[]; many: number[] }) => median(rates.many) / median(rates.few);
  const against = `${many.toLocaleString('en')} waiting rows against ${few.toLocaleString('en')}`;
  return [
    { what: `new mail passing ${against}`, rates: passes },
    { what: `draining ${against} (${drained.toLocaleString('en')} due)`, rates: drains },
  ].map(
    ({ what, rates }): Measurement => ({
      what,
      unit: '× the throughput',
      postern: ratio(rates),
      target: '≥ 0.9',
      detail: { perSecond: rates },
    }),
  );
};

async function withRelay<T>(
  database: TestDatabase,
  sink: Sink,
  work: (port: number) => Promise<T>,
): Promise<T> {
  await using stack = await startStack({
    database,
    processes: ['relay'],
    provider: false,
    relay: {
      RELAY_TRUSTED_NETWORKS: '127.0.0.0/8',
      LOG_LEVEL: 'warn',
      SMTP_HOST: '127.0.0.1',
      SMTP_PORT: String(sink.port),
      SMTP_TLS_MODE: 'none',
      SMTP_FAILOVER: 'off',
      SMTP_FROM_EMAIL: 'ann@example.com',
    },
  });
  return await work(stack.relay.port);
}

/** Messages a second that come in and leave again. */
async function pass(sink: Sink, port: number): Promise<number> {
  const before = sink.taken;
  const began = performance.now();
  await measureSource({ port, messages: passing, sessions, reuse: true });
  await until(() => sink.taken >= before + passing, patience);
  return passing / ((performance.now() - began) / 1_000);
}

/** Empties the queue, and fills it with mail that was deferred and waits for a time in the next three days. */
async function fill({ query }: TestDatabase, count: number, say: (line: string) => void): Promise<void> {
  await query('truncate message, message_part, recipient, event, submission');
  for (let from = 0; from < count; from += seedBatch) {
    const range = [from, Math.min(from + seedBatch, count) - 1];
    await query(
      `insert into message (queue_id, credential, sender, header_from, message_id, size, priority)
       select ${queueId}, 'bench', 'ann@example.com', 'ann@example.com', '<' || n || '@example.com>', length(${content}), 1
       from generate_series($1::integer, $2::integer) n`,
      range,
    );
    await query(
      `insert into message_part (queue_id, part, content)
       select ${queueId}, 0, convert_to(${content}, 'UTF8') from generate_series($1::integer, $2::integer) n`,
      range,
    );
    await query(
      `insert into recipient (queue_id, ordinal, address, status, priority, attempts, next_attempt_at)
       select ${queueId}, 0, 'r' || n || '@example.net', 'deferred', 1, 1, now() + interval '1 hour' + random() * interval '3 days'
       from generate_series($1::integer, $2::integer) n`,
      range,
    );
  }
  // As autovacuum would have done by the time a queue is this long.
  await query('vacuum (analyze) recipient');
  await query('vacuum (analyze) message');
  await query('checkpoint');
  say(`${count} mails wait`);
}

const queueId = `lpad(n::text, 16, '0')`;
const content = `E'From: ann@example.com\\r\\nSubject: ' || n || E'\\r\\n\\r\\n' || repeat(E'All work and no play.\\r\\n', 40)`;

/** An outage is over: what waits for later is due now. New mail is added when there is less than `count`. */
async function makeDue(database: TestDatabase, count: number): Promise<void> {
  const { rows } = await database.query<{ n: number }>(
    `select count(*)::integer as n from recipient where status = 'deferred'`,
  );
  if ((rows[0]?.n ?? 0) < count) await fill(database, count, () => {});
  await database.query(
    `update recipient set next_attempt_at = now() - random() * interval '1 hour' where status = 'deferred'`,
  );
  await database.query('vacuum (analyze) recipient');
  await database.query('checkpoint');
}
