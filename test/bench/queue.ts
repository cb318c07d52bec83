// Whether a long queue makes everything slow: new mail that passes a million others which wait for later, and the
// backlog of a million after a long outage, each against a queue of a thousand. Same server, in turns, so that a
// machine that has become busier is so for both.
import { createTemplate, freshDatabase, type TestDatabase } from '../kit/database.ts';
import { startPostgres } from '../kit/postgres.ts';
import { startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';
import { type Benchmark, type Measurement, median } from './measurement.ts';
import { measureSource, whyNoPostfix } from './postfix.ts';
import { type Sink, startCountingSink, towards } from './sink.ts';

const few = 1_000;
const many = 1_000_000;
const seedBatch = 50_000;
// Many short ones in turns: what else the disk does at the moment falls on both.
const rounds = 5;
const sessions = 20;
const passing = 2_000;
const drained = 3_000;
const patience = { timeoutMs: 300_000, what: 'the mail to leave' };

export const queue: Benchmark = async (say) => {
  const absent = await whyNoPostfix();
  if (absent) throw new Error(`smtp-source, which sends the mail, comes with Postfix: ${absent}`);
  await using server = await startPostgres({ kind: 'embedded' });
  const template = await createTemplate(server.url);
  await using short = await freshDatabase(template);
  await using long = await freshDatabase(template);
  await using sink = await startCountingSink();
  const queues = [
    { size: 'few', database: short },
    { size: 'many', database: long },
  ] as const;

  await fill(short, few, say);
  await fill(long, many, say);
  const passes = { few: [] as number[], many: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    for (const { size, database } of queues) {
      passes[size].push(await withRelay(database, sink, (port) => pass(sink, port)));
    }
    say(
      `new mail passes ${few} at ${passes.few.at(-1)?.toFixed(0)}/s, ${many} at ${passes.many.at(-1)?.toFixed(0)}/s`,
    );
  }

  await makeDue(long);
  const drains = { few: [] as number[], many: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    for (const { size, database } of queues) {
      if (size === 'few') {
        // Of a short queue enough to measure something; the long one lasts.
        await fill(database, drained + few, () => {});
        await makeDue(database);
      }
      drains[size].push(await withRelay(database, sink, () => drain(sink)));
    }
    say(
      `a backlog of ${drained + few} drains at ${drains.few.at(-1)?.toFixed(0)}/s, of ${many} at ${drains.many.at(-1)?.toFixed(0)}/s`,
    );
  }

  const ratio = (rates: { few: number[]; many: number[] }) => median(rates.many) / median(rates.few);
  return [
    { what: `new mail passes ${inWords(many)} that wait, against ${inWords(few)}`, rates: passes },
    { what: `a backlog of ${inWords(many)} drains, against ${inWords(drained + few)}`, rates: drains },
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

const inWords = (count: number) => count.toLocaleString('en');

async function withRelay<T>(
  database: TestDatabase,
  sink: Sink,
  work: (port: number) => Promise<T>,
): Promise<T> {
  await using stack = await startStack({
    database,
    processes: ['relay'],
    provider: false,
    relay: towards(sink),
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

/** Messages a second that leave once the first has left. */
async function drain(sink: Sink): Promise<number> {
  const before = sink.taken;
  await until(() => sink.taken > before, patience);
  const began = performance.now();
  const first = sink.taken;
  await until(() => sink.taken >= before + drained, patience);
  return (sink.taken - first) / ((performance.now() - began) / 1_000);
}

/** Empties the queue, and fills it with mail that was deferred and waits for a time in the next three days. */
async function fill({ query }: TestDatabase, count: number, say: (line: string) => void): Promise<void> {
  await query('truncate message, message_part, recipient, event, submission cascade');
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
  for (const table of ['recipient', 'message', 'message_part']) await query(`vacuum (analyze) ${table}`);
  await query('checkpoint');
  say(`${count} mails wait`);
}

const queueId = `lpad(n::text, 16, '0')`;
const content = `E'From: ann@example.com\\r\\nSubject: ' || n || E'\\r\\n\\r\\n' || repeat(E'All work and no play.\\r\\n', 40)`;

/**
 * An outage is over. While no route is open mail is not tried, and so not deferred either: it waits as it came, due in
 * the order of its arrival.
 */
async function makeDue({ query }: TestDatabase): Promise<void> {
  await query(
    `update recipient set status = 'queued', attempts = 0,
       next_attempt_at = now() - interval '1 day' + queue_id::integer * interval '10 milliseconds'
     where status = 'deferred'`,
  );
  await query('vacuum (analyze) recipient');
  await query('checkpoint');
}
