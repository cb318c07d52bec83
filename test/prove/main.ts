// npm run prove [-- --messages 10000 --rate 80 --relays 4 --workers 4 --apis 3 --seed N --log info]: the crash ledger. Applications and API clients
// write down every 250, 201 and 202 while Postern's processes and its PostgreSQL are killed at random and the provider
// misbehaves; at the end everything acknowledged must have been delivered or visibly wait, and whatever was delivered
// twice must have been announced. An endpoint hears of every change of status, although it fails the first attempt of every third event. Ends with 1 when a promise was broken. Everything runs on a stack of its own. With --only-kills the provider behaves well,
// PostgreSQL stays, and nothing is frozen: then the provider's limit of connections must hold at every moment as well.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ownPostgres } from '../kit/database.ts';
import { startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';
import { openAcknowledgements } from './acknowledgements.ts';
import { chanceOf } from './chance.ts';
import { readChanges, watchChanges } from './changes.ts';
import { reachesEndpoint, settleEvents, startEndpoint } from './endpoint.ts';
import { breachesOfEvents, type EventReckoning, reckonEvents } from './events.ts';
import { breachesOf, type Reckoning, reckon } from './ledger.ts';
import { load } from './load.ts';
import type { FromProvider, ToProvider } from './provider.ts';
import { readHistory, readRecords, settle } from './records.ts';
import { type Saboteur, sabotage } from './saboteur.ts';
import { keepTimeGoing } from './time.ts';

const { values: flags } = parseArgs({
  options: {
    messages: { type: 'string', default: '2000' },
    /** Mails a second: slow enough that the processes die many times meanwhile. */
    rate: { type: 'string', default: '80' },
    relays: { type: 'string', default: '2' },
    workers: { type: 'string', default: '2' },
    apis: { type: 'string', default: '1' },
    /** Connections that the provider takes at once. */
    connections: { type: 'string', default: '5' },
    'only-kills': { type: 'boolean', default: false },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
    log: { type: 'string', default: 'warn' },
  },
});
const messages = Number(flags.messages);
const rate = Number(flags.rate);
const seed = Number(flags.seed);
const onlyKills = flags['only-kills'];
const sender = 'mailer@example.com';
const submitters = 12;
// More than the API has connections to PostgreSQL.
const askers = 24;

type Account = Extract<FromProvider, { kind: 'account' }>;

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const say = (line: string) => console.log(`${(performance.now() / 1_000).toFixed(0).padStart(5)} s  ${line}`);

say(`seed ${seed}: ${messages} mails, ${rate} a second`);
const chance = chanceOf(seed);
await using resources = new AsyncDisposableStack();
const postgres = resources.use(await ownPostgres());
const provider = resources.use(await startProviderProcess());
const stack = resources.use(
  await startStack({
    database: postgres,
    provider: false,
    processes: [],
    relays: Number(flags.relays),
    workers: Number(flags.workers),
    apis: Number(flags.apis),
    relay: {
      ...provider.environment,
      SMTP_MAX_CONNECTIONS: flags.connections,
      SMTP_ALLOWED_SENDERS: '*@example.com',
      RETRY_SCHEDULE: '1s,2s,4s',
      LOG_LEVEL: flags.log,
    },
    api: { SMTP_FROM_EMAIL: sender, LOG_LEVEL: flags.log, ...reachesEndpoint },
    worker: { SMTP_FROM_EMAIL: sender, LOG_LEVEL: flags.log, ...reachesEndpoint },
  }),
);

// One after the other, and again: five at once may take longer to start on a busy machine than the kit has patience.
for (const slot of [...stack.relays, ...stack.workers, ...stack.apis]) {
  await until(() => slot.start(), { timeoutMs: 120_000, what: `${slot.name} to start` });
}

await watchChanges(postgres);
const endpoint = resources.use(await startEndpoint(stack.api));
const acknowledgements = openAcknowledgements();
const ending = new AbortController();
const timeLapse = keepTimeGoing(postgres, {
  signal: ending.signal,
  // Nobody who was killed can still be at it.
  ...(onlyKills && { inDoubt: 2 }),
});
const saboteur = sabotage(stack, postgres, chance.branch('saboteur'), { onlyKills });
await carry(saboteur);
say(`${acknowledgements.count} acknowledged; the sabotage ends`);
await saboteur.stop();
provider.tell('behave');
const moving = await settle(postgres);
if (moving > 0) say(`${moving} recipients still wait for something`);
ending.abort();
await timeLapse;
const untold = await settleEvents(postgres);
if (untold > 0) say(`${untold} events still wait for the endpoint`);

const account = await provider.account();
const reckoning = reckon({
  acknowledged: acknowledgements.all,
  taken: account.taken.filter(({ recipient }) => recipient.endsWith('@example.net')),
  recorded: await readRecords(postgres),
  refusedForGood: new Set(account.refusedForGood),
  unrecognisable: acknowledgements.unrecognisable,
});
const eventReckoning = reckonEvents(await readChanges(postgres), endpoint.told);
report(reckoning, eventReckoning, saboteur, account);
const breaches = [
  ...breachesOf(reckoning),
  ...breachesOfEvents(eventReckoning),
  ...acknowledgements.complaints,
  ...saboteur.selfEnded,
];
// A relay that is frozen keeps its connections, and others take over what it had leased: SMTP has no fence for that.
if (onlyKills && account.overLimit > 0)
  breaches.push(
    `${account.overLimit} connections more than the ${flags.connections} that the provider takes`,
  );
if (breaches.length > 0) await showEvidence(breaches);
process.exitCode = breaches.length > 0 ? 1 : 0;

/** All the mail, and every ten seconds a line. */
async function carry({ done }: Saboteur): Promise<void> {
  const progress = setInterval(() => {
    const blows = sum(done.values());
    const again = sum(acknowledgements.askedAgain.values());
    say(`${acknowledgements.count} acknowledged, ${again} asked again, ${blows} blows`);
  }, 10_000);
  const { signal } = ending;
  await load({ stack, chance, acknowledgements, sender, messages, rate, submitters, askers, signal });
  clearInterval(progress);
}

function report(
  reckoning: Reckoning,
  events: EventReckoning,
  { done, lateStarts }: Saboteur,
  { mishaps, peakConnections, mostCarrying, overLimit }: Account,
): void {
  const rows: [string, number, string?][] = [
    ['blows', sum(done.values()), listed(done)],
    ['starts in vain', lateStarts],
    ['mishaps at the provider', mishaps],
    ['connections at once', peakConnections],
    ['  that carried mail', mostCarrying, `the provider takes ${flags.connections}`],
    ['  refused as too many', overLimit],
    [
      'asked again by clients',
      sum(acknowledgements.askedAgain.values()),
      listed(acknowledgements.askedAgain),
    ],
    ['acknowledged recipients', reckoning.acknowledged],
    ['  delivered', reckoning.delivered],
    ['  refused by the provider', reckoning.bounced],
    ['  cancelled', reckoning.cancelled],
    ['  visibly waiting', sum(reckoning.waiting.values()), listed(reckoning.waiting)],
    ['lost', reckoning.lost.length],
    ['uncertain at some time', reckoning.inDoubt],
    ['  and taken by then', reckoning.inDoubtAndTaken],
    ['duplicates, marked', reckoning.markedDuplicates],
    ['resubmitted', reckoning.resubmitted, 'sent again by clients without Message-ID and without key'],
    ['duplicates, unmarked', reckoning.unmarkedDuplicates.length],
    ['accepted twice', reckoning.acceptedTwice.length],
    ['sent after a cancel', reckoning.sentAfterCancel.length],
    ['bytes changed', reckoning.mangled.length],
    ['misreported', reckoning.misreported.length],
    ['changes of status', events.changes],
    ['  events that were told', events.events],
    [
      '  requests with them',
      events.requests,
      `${endpoint.failed} answered 500, every third at its first attempt`,
    ],
    ['events missed', events.missed.length],
    ['events invented', events.invented.length],
    ['ids shared by events', events.sharedIds.length],
    ['signatures refused', events.unsigned.length, 'by standardwebhooks, svix or resend'],
    ['wrong answers', acknowledgements.complaints.length],
    ['ended by themselves', saboteur.selfEnded.length],
  ];
  console.log(`\nseed ${seed}, ${messages} mails, ${(performance.now() / 1_000).toFixed(0)} s`);
  for (const [what, count, detail] of rows) {
    console.log(`${what.padEnd(26)}${String(count).padStart(7)}${detail ? `  (${detail})` : ''}`);
  }
}

function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((total, number) => total + number, 0);
}

function listed(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .sort()
    .map(([what, count]) => `${what} ${count}`)
    .join(', ');
}

/** The broken promises, the timelines of the first few, and all that the processes wrote. */
async function showEvidence(breaches: readonly string[]): Promise<void> {
  console.log(`\n${breaches.length} promises broken:`);
  for (const breach of breaches.slice(0, 20)) console.log(`- ${breach}`);
  const recipients = new Set(breaches.map((breach) => /m\d+-\d@example\.net/.exec(breach)?.[0]));
  for (const recipient of [...recipients].slice(0, 5)) {
    if (recipient === undefined) continue;
    console.log(`\n${recipient}`);
    for (const line of await readHistory(postgres, recipient)) console.log(`  ${line}`);
  }
  const file = join(await mkdtemp(join(tmpdir(), 'postern-prove-')), 'output.txt');
  await writeFile(file, stack.output);
  console.log(`\nWhat the processes wrote: ${file} (--log info for more)`);
}

async function startProviderProcess() {
  const child = fork(new URL('./provider.ts', import.meta.url), [
    String(seed),
    flags.connections,
    ...(onlyKills ? ['calm'] : []),
  ]);
  const hear = async () => ((await once(child, 'message')) as [FromProvider])[0];
  const tell = (asked: ToProvider) => child.send(asked);
  const first = await hear();
  if (first.kind !== 'ready') throw new Error('the provider did not start');
  return {
    environment: first.environment,
    tell,
    async account() {
      tell('tell');
      const told = await hear();
      if (told.kind !== 'account') throw new Error('the provider did not tell');
      return told;
    },
    async [Symbol.asyncDispose]() {
      const gone = once(child, 'exit');
      child.disconnect();
      await gone;
    },
  };
}
