// What events cost: how soon an endpoint hears of a change when nothing else happens, how many events a second go to one
// endpoint, and what an endpoint that never answers costs the relay and another endpoint while 100,000 events wait for it.
import { setTimeout as pause } from 'node:timers/promises';
import { createTemplate, freshDatabase, type TestDatabase } from '../kit/database.ts';
import { startPostgres } from '../kit/postgres.ts';
import { type Stack, startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';
import { type Receiver, startReceiver } from '../worker/webhooks/receiver.ts';
import { isDelivered, listen, poster } from './endpoint.ts';
import { type Benchmark, type Measurement, median } from './measurement.ts';
import { percentile } from './percentile.ts';
import { measureSource, whyNoPostfix } from './postfix.ts';
import { type Sink, startCountingSink, towards } from './sink.ts';

const undelivered = 100_000;
const waitingEvents = 10_000;
const spacedMails = 400;
const mailsPerSecond = 20;
const rounds = 3;
const messages = 3_000;
const sessions = 20;
const patience = { timeoutMs: 300_000, what: 'everything to arrive' };

export const events: Benchmark = async (say) => {
  const absent = await whyNoPostfix();
  if (absent) throw new Error(`smtp-source, which sends the mail, comes with Postfix: ${absent}`);
  await using server = await startPostgres({ kind: 'embedded' });
  const template = await createTemplate(server.url);
  await using sink = await startCountingSink();
  await using good = await startReceiver();
  await using spare = await startReceiver();
  await using dead = await startReceiver();
  dead.answer(() => {});

  await using quiet = await freshDatabase(template);
  const first = await listen(quiet, good);
  await listen(quiet, spare);
  await using burdened = await freshDatabase(template);
  await listen(burdened, good);
  await fill(burdened, await listen(burdened, dead), undelivered);
  say(`${undelivered} events wait for an endpoint that never answers`);

  const rates = { quiet: [] as number[], burdened: [] as number[] };
  const delays = { quiet: [] as number[], burdened: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    for (const [name, database] of Object.entries({ quiet, burdened }) as [
      'quiet' | 'burdened',
      TestDatabase,
    ][]) {
      await using stack = await start(database, sink);
      delays[name].push(...(await measureDelays(stack, sink, good)));
      rates[name].push(await measureThrough(stack, sink));
      await until(() => isDelivered(database, good), patience);
    }
    say(
      `through the relay: ${rates.quiet.at(-1)?.toFixed(0)}/s, beside the dead endpoint ${rates.burdened.at(-1)?.toFixed(0)}/s; ` +
        `delay p99 ${percentile(delays.quiet, 0.99).toFixed(0)} ms and ${percentile(delays.burdened, 0.99).toFixed(0)} ms`,
    );
  }

  await fill(quiet, first, waitingEvents);
  const perSecond = await measureDrain(quiet, sink, good);
  return rowsOf({ rates, delays, perSecond });
};

type Pair = { readonly quiet: readonly number[]; readonly burdened: readonly number[] };

function rowsOf({
  rates,
  delays,
  perSecond,
}: {
  rates: Pair;
  delays: Pair;
  perSecond: number;
}): Measurement[] {
  const beside = `beside an endpoint that is dead, with ${undelivered.toLocaleString('en')} events for it`;
  const delayOf = (values: readonly number[]) => ({
    unit: 'ms',
    postern: percentile(values, 0.99),
    target: '≤ 1000 ms',
    detail: { p50: percentile(values, 0.5), events: values.length, mailsPerSecond },
  });
  return [
    { what: 'from a change to the endpoint, idle system, p99', ...delayOf(delays.quiet) },
    { what: `the same ${beside}, p99`, ...delayOf(delays.burdened) },
    {
      what: `mail through the relay ${beside}`,
      unit: '× the throughput',
      postern: median(rates.burdened) / median(rates.quiet),
      target: '≥ 0.9',
      detail: { perSecond: rates },
    },
    { what: 'events to one endpoint', unit: 'events/s', postern: perSecond, target: 'reported' },
  ];
}

const start = (database: TestDatabase, sink: Sink): Promise<Stack> =>
  startStack({
    database,
    processes: ['relay', 'worker'],
    provider: false,
    relay: { ...towards(sink), LOG_LEVEL: 'warn' },
    worker: poster,
  });

async function fill({ query }: TestDatabase, webhookId: string, count: number): Promise<void> {
  await query(
    `insert into webhook_delivery (id, webhook_id, type, data, queue_id)
     select new_webhook_event_id(), $1, 'email.sent', jsonb_build_object(
       'email_id', null, 'queue_id', lpad(n::text, 16, '0'), 'message_id', '<' || n || '@example.com>',
       'recipient', 'r' || n || '@example.net', 'status', 'sent', 'cause', null, 'title', null, 'stage', 'accepted',
       'code', 250, 'reply', '250 2.0.0 Ok: queued', 'route', '127.0.0.1:25', 'attempt', 1, 'tags', '[]'::jsonb,
       'customer_id', null, 'client_id', null, 'seq', n), lpad(n::text, 16, '0')
     from generate_series(1, $2::integer) n`,
    [webhookId, count],
  );
  await query('vacuum (analyze) webhook_delivery');
}

/** Milliseconds from the start of the transaction that changes something until the endpoint has the request. */
async function measureDelays({ relay }: Stack, sink: Sink, { heard }: Receiver): Promise<number[]> {
  const before = heard.length;
  const taken = sink.taken;
  for (let n = 0; n < spacedMails / rounds; n++) {
    await Promise.all([
      measureSource({ port: relay.port, messages: 1, sessions: 1, reuse: true }),
      pause(1_000 / mailsPerSecond),
    ]);
  }
  const sent = Math.ceil(spacedMails / rounds);
  await until(() => sink.taken >= taken + sent && heard.length >= before + 2 * sent, patience);
  return heard.slice(before).map(({ at, event }) => Math.max(0, at - Date.parse(event.timestamp)));
}

/** Messages a second, from the first connection to the last message at the provider. */
async function measureThrough({ relay }: Stack, sink: Sink): Promise<number> {
  const before = sink.taken;
  const began = performance.now();
  await measureSource({ port: relay.port, messages, sessions, reuse: true });
  await until(() => sink.taken >= before + messages, patience);
  return messages / ((performance.now() - began) / 1_000);
}

/** Events a second that one worker posts, once it has begun. */
async function measureDrain(database: TestDatabase, sink: Sink, receiver: Receiver): Promise<number> {
  const before = receiver.heard.length;
  await using _ = await start(database, sink);
  await until(() => receiver.heard.length >= before + waitingEvents, patience);
  const [first, last] = [receiver.heard[before], receiver.heard[before + waitingEvents - 1]];
  return (waitingEvents - 1) / (((last?.at ?? 0) - (first?.at ?? 0)) / 1_000);
}
