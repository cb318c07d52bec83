// Whether years of finished mail make anything slow: the way of new mail, what people ask, and the forgetting itself.
// BENCH_RECIPIENTS says how much is finished; what is said of more is extrapolated in deploy/years.md.

import { countMail, findMail } from '../../api/dashboard/mail-list.ts';
import { readOverview } from '../../api/dashboard/overview.ts';
import { addressQuery } from '../../api/dashboard/search-words.ts';
import { type Database, openDatabase } from '../../deploy/database.ts';
import { listEmails } from '../../relay/client/email/list.ts';
import { readMessageTimeline, readTimeline } from '../../relay/client/email/timeline.ts';
import { eraseMessages, firstPart } from '../../relay/client/erasure/retention.ts';
import { claimDueMail } from '../../relay/delivery/queue/claim.ts';
import { createTemplate, freshDatabase, type TestDatabase } from '../kit/database.ts';
import { startPostgres } from '../kit/postgres.ts';
import { startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';
import { fillBacklog } from '../relay/delivery/backlog.ts';
import { diskBytes } from './disk.ts';
import { type Benchmark, type Measurement, median } from './measurement.ts';
import { measureSource, whyNoPostfix } from './postfix.ts';
import { type Sink, startCountingSink, towards } from './sink.ts';
import { daysAgo, daysKept, growingTables, mailInTheMiddle, writeMail } from './years/mail.ts';
import { forget, liveAYear } from './years/upkeep.ts';

const finished = Number(process.env.BENCH_RECIPIENTS ?? 1_000_000);
const rounds = 3;
const passing = 2_000;
const sessions = 20;
const claims = 50;
const instance = '01900000-0000-7000-8000-000000000001';
const inWords = finished.toLocaleString('en');

export const years: Benchmark = async (say) => {
  const absent = await whyNoPostfix();
  if (absent) throw new Error(`smtp-source, which sends the mail, comes with Postfix: ${absent}`);
  await using server = await startPostgres({ kind: 'embedded' });
  const template = await createTemplate(server.url);
  await using none = await freshDatabase(template);
  await using many = await freshDatabase(template);
  await using sink = await startCountingSink();
  const empty = await diskBytes(many);
  await writeMail(
    many,
    { since: daysAgo(daysKept), from: 0, to: finished, perDay: finished / daysKept },
    say,
  );
  for (const table of growingTables) await many.query(`vacuum (analyze) ${table}`);
  await many.query('checkpoint');
  const room: Measurement = {
    what: `disk per finished mail, its body erased, half of it from the API (${inWords})`,
    unit: 'KB',
    postern: ((await diskBytes(many)) - empty) / finished / 1_000,
    target: 'reported',
  };
  return [
    room,
    ...(await passAndForget({ none, many, sink }, say)),
    ...(await claimAndAsk({ none, many }, say)),
    ...(await bodies(await freshDatabase(template), sink, say)),
    ...(await aYear(await freshDatabase(template), say)),
  ];
};

const open = ({ url }: TestDatabase, max = 2) => openDatabase({ url, applicationName: 'bench', max });

type Databases = { readonly none: TestDatabase; readonly many: TestDatabase };

/** New mail in turns with nothing behind it, with much behind it, and while that is forgotten. */
async function passAndForget(
  { none, many, sink }: Databases & { sink: Sink },
  say: (line: string) => void,
): Promise<Measurement[]> {
  await using database = open(many);
  const rates = { none: [] as number[], many: [] as number[], forgetting: [] as number[] };
  const forgotten: { mails: number; seconds: number; slowestMs: number }[] = [];
  // In every round the oldest twentieth of what there was.
  const keptAfter = (round: number) => daysKept * (0.95 - 0.05 * round);
  for (let round = 0; round < rounds; round++) {
    rates.none.push(await pass(none, sink));
    rates.many.push(await pass(many, sink));
    let isOver = false;
    const forgetting = forget(database, keptAfter(round), () => isOver);
    rates.forgetting.push(await pass(many, sink));
    isOver = true;
    forgotten.push(await forgetting);
    const last = Object.entries(rates).map(([name, each]) => `${name} ${each.at(-1)?.toFixed(0)}/s`);
    say(`new mail: ${last.join(', ')}, while ${forgotten.at(-1)?.mails} were forgotten`);
  }
  const alone = await forget(database, keptAfter(rounds));
  say(`${alone.mails} forgotten at ${(alone.mails / alone.seconds).toFixed(0)}/s`);
  const against = (of: readonly number[]) => median(of) / median(rates.none);
  return [
    {
      what: `new mail in and out, ${inWords} finished, against none`,
      unit: '× the throughput',
      postern: against(rates.many),
      target: '≥ 0.9',
      detail: { perSecond: rates },
    },
    {
      what: 'the same while old mail is forgotten without a pause',
      unit: '× the throughput',
      postern: against(rates.forgetting),
      target: 'reported',
      detail: { forgotten },
    },
    {
      what: 'old mail forgotten, alone',
      unit: 'mails/s',
      postern: alone.mails / alone.seconds,
      target: '≥ 167 (what housekeeping asks for)',
      detail: { ...alone },
    },
    {
      what: 'the slowest statement of it, new mail beside it included',
      unit: 'ms',
      postern: Math.max(alone.slowestMs, ...forgotten.map(({ slowestMs }) => slowestMs)),
      target: 'reported',
    },
  ];
}

async function pass(database: TestDatabase, sink: Sink): Promise<number> {
  await using stack = await startStack({
    database,
    processes: ['relay'],
    provider: false,
    relay: towards(sink),
  });
  const before = sink.taken;
  const began = performance.now();
  await measureSource({ port: stack.relay.port, messages: passing, sessions, reuse: true });
  await until(() => sink.taken >= before + passing, { timeoutMs: 300_000, what: 'the mail to leave' });
  return passing / ((performance.now() - began) / 1_000);
}

async function claimAndAsk({ none, many }: Databases, say: (line: string) => void): Promise<Measurement[]> {
  const took: Record<string, { none: number; many: number }> = {};
  for (const [which, given] of Object.entries({ none, many })) {
    await using database = open(given);
    await fillBacklog(given, 2 * claims * 10);
    const { id, address, submitted } = await mailInTheMiddle(given, finished);
    for (const [what, ask] of Object.entries(questions(database, id, address, submitted))) {
      const each: number[] = [];
      for (let i = 0; i < claims; i++) {
        const began = performance.now();
        await ask();
        each.push(performance.now() - began);
      }
      took[what] ??= { none: Number.NaN, many: Number.NaN };
      took[what][which as 'none' | 'many'] = median(each);
    }
  }
  return Object.entries(took).map(([what, { none: without, many: withThem }]): Measurement => {
    say(`${what}: ${withThem.toFixed(1)} ms, with none finished ${without.toFixed(1)} ms`);
    return {
      what: `${what}, ${inWords} finished`,
      unit: 'ms',
      postern: withThem,
      target: '≤ 200',
      detail: { withoutMs: without },
    };
  });
}

/** What processes and people ask all the time, and for one mail in the middle of all. */
function questions(
  q: Database,
  id: string,
  address: string,
  submitted: string,
): Record<string, () => Promise<unknown>> {
  const page = { limit: 50 };
  return {
    'a claim of 10': () => claimDueMail(q, { limit: 10, instance, leaseMs: 60_000 }),
    'API: emails to an address': () =>
      listEmails(q, { recipient: address, recipientWords: addressQuery(address) }, page),
    'dashboard: search of an address': () => findMail(q, { text: address }, page),
    'dashboard: search without a match': () => findMail(q, { text: 'xylophone' }, page),
    'dashboard: words that never meet': () => findMail(q, { text: 'receipt invoice' }, page),
    'dashboard: count of a frequent word': () => countMail(q, { text: 'receipt' }),
    'dashboard: count of all': () => countMail(q, {}),
    overview: () => readOverview(q),
    'timeline of an email': () => readTimeline(q, id),
    'timeline of a mail over SMTP': () => readMessageTimeline(q, submitted),
  };
}

/** Real mail of 4 KB: what it takes, and what is left of that when its body was erased. */
async function bodies(given: TestDatabase, sink: Sink, say: (line: string) => void): Promise<Measurement[]> {
  await using database = given;
  const { query } = database;
  await pass(database, sink);
  const before = await compact(database);
  for (let i = 0; i < 3; i++) await pass(database, sink);
  const sent = 3 * passing;
  const after = (await compact(database)) - before;
  await query("update message set received_at = now() - interval '8 days'");
  await query("update recipient set finished_at = now() - interval '8 days'");
  await using upkeep = open(given);
  let [from, isEnd] = [firstPart, false];
  while (!isEnd)
    ({ reached: from, isEnd } = await eraseMessages(upkeep, { from, olderThanSeconds: 7 * 86_400 }));
  // Of the mail before as well.
  const left = (await compact(database)) / (sent + passing);
  say(`a mail over SMTP takes ${after / sent} bytes`);
  return [
    {
      what: 'disk per 4 KB message over SMTP, rewritten without gaps',
      unit: 'KB',
      postern: after / sent / 1_000,
      target: 'reported',
    },
    { what: 'the same when its body is erased', unit: 'KB', postern: left / 1_000, target: 'reported' },
  ];
}

/** Bytes of the mail's tables and indexes when they are written anew. */
async function compact({ query }: TestDatabase): Promise<number> {
  for (const table of growingTables) await query(`vacuum (full, analyze) ${table}`);
  const { rows } = await query<{ bytes: number }>(
    'select sum(pg_total_relation_size(name::regclass))::float8 as bytes from unnest($1::text[]) as t (name)',
    [growingTables],
  );
  return rows[0]?.bytes ?? Number.NaN;
}

async function aYear(given: TestDatabase, say: (line: string) => void): Promise<Measurement[]> {
  await using database = given;
  // One session: it counts its own deletions.
  await using upkeep = open(database, 1);
  // Enough for the settings of autovacuum to count, and not for the figure to take an hour.
  const perDay = 300;
  const { ratio, vacuums, bytes } = await liveAYear(database, upkeep, perDay, say);
  return [
    {
      what: `disk after a year of ${perDay} mails in and out every day, against its first day`,
      unit: '×',
      postern: ratio,
      target: '≤ 1.25',
      detail: { vacuums, bytes },
    },
  ];
}
