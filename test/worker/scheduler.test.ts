import { expect, test, vi } from 'vitest';
import { type Database, openDatabase } from '../../deploy/database.ts';
import type { EmailDraft } from '../../relay/client/email/draft.ts';
import { insertEmails } from '../../relay/client/email/insert.ts';
import { readEmail } from '../../relay/client/email/row.ts';
import { cancelEmail } from '../../relay/client/outbox/cancel.ts';
import { emailStatus } from '../../relay/client/status/heartbeat.ts';
import { ownPostgres } from '../kit/database.ts';
import { type Stack, type StackWishes, startStack } from '../kit/stack.ts';
import { runs } from '../kit/thoroughness.ts';
import { until } from '../kit/until.ts';

type Postern = AsyncDisposable & {
  readonly stack: Stack;
  readonly database: Database;
  readonly from: string;
};

// Several processes start for each test, and a busy machine takes its time for that.
vi.setConfig({ testTimeout: 90_000 });

/** Relay, worker and provider as real processes on a database of their own; mail is asked for in SQL. */
async function startPostern(wishes: StackWishes = {}): Promise<Postern> {
  const resources = new AsyncDisposableStack();
  const stack = resources.use(await startStack({ processes: ['relay', 'worker'], ...wishes }));
  const database = resources.use(openDatabase({ url: stack.database.url, applicationName: 'test', max: 20 }));
  return {
    stack,
    database,
    from: stack.provider.user,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000);

async function insert(
  { database, from }: Postern,
  count: number,
  changes: Partial<EmailDraft> = {},
): Promise<string[]> {
  const drafts = Array.from(
    { length: count },
    (_, i): EmailDraft => ({
      kind: 'scheduled',
      from: { address: from },
      recipients: [{ kind: 'to', address: `r${i}@example.com` }],
      subject: `Number ${i}`,
      text: 'Hello',
      ...changes,
    }),
  );
  return (await database.transaction((tx) => insertEmails(tx, drafts))).map(({ id }) => id);
}

const countOf = async ({ database }: Postern, condition: string): Promise<number> => {
  const { rows } = await database.query<{ n: number }>(
    `select count(*)::int as n from email where ${condition}`,
  );
  return rows[0]?.n ?? 0;
};

/** How many copies the provider took of each email. */
function copies({ stack }: Postern): Map<string, number> {
  const counted = new Map<string, number>();
  for (const { raw } of stack.provider.messages) {
    const id = /^Message-ID: <([^@]+)@/im.exec(raw.toString('latin1'))?.[1] ?? '';
    counted.set(id, (counted.get(id) ?? 0) + 1);
  }
  return counted;
}

const onceEach = (ids: readonly string[]) => new Map(ids.map((id) => [id, 1]));

const allSent = (postern: Postern, timeoutMs = 40_000) =>
  until(async () => (await countOf(postern, `status <> 'sent'`)) === 0, {
    timeoutMs,
    what: 'everything to be sent',
  });

test('mail leaves when its time has come, not before and hardly after', async () => {
  await using postern = await startPostern();
  const ids: string[] = [];
  for (let i = 0; i < 10; i++) ids.push(...(await insert(postern, 1, { dueAt: inSeconds(1 + i * 0.1) })));
  await allSent(postern);

  for (const id of ids) {
    const { latenessMs } = (await readEmail(postern.database, id)) ?? {};
    expect(latenessMs).toBeGreaterThanOrEqual(0);
    // How late exactly is for `npm run bench schedule`: a busy machine proves nothing.
    expect(latenessMs).toBeLessThan(10_000);
  }
  expect(copies(postern)).toEqual(onceEach(ids));
  expect(postern.stack.worker.output).toContain('Email scheduler started');
  expect(postern.stack.worker.output).toContain('EMAIL SCHEDULER - Checking for scheduled emails');
});

test('a worker that sleeps is told of a new earliest due time', async () => {
  await using postern = await startPostern({ worker: { WORKER_POLL_INTERVAL: '1h' } });
  await insert(postern, 1, { dueAt: inSeconds(3_600) });
  const [id = ''] = await insert(postern, 1, { dueAt: inSeconds(2) });
  await until(async () => (await readEmail(postern.database, id))?.status === 'sent', {
    timeoutMs: 40_000,
    what: 'the mail that is due soon to be sent',
  });
});

test('what the api left behind is handed over once its lease is over', async () => {
  await using postern = await startPostern();
  const ids = await insert(postern, 3, { kind: 'invitation' });
  await allSent(postern);
  expect(copies(postern)).toEqual(onceEach(ids));
});

test('three workers hand over each mail once', async () => {
  await using postern = await startPostern({ workers: 3 });
  const ids = await insert(postern, 300, { dueAt: inSeconds(1) });
  await allSent(postern);
  expect(copies(postern)).toEqual(onceEach(ids));
});

test('mail waits for a relay that is away and is handed over within five seconds of its return', async () => {
  await using postern = await startPostern({ processes: ['worker'] });
  const ids = await insert(postern, 50, { dueAt: inSeconds(0) });
  await until(() => postern.stack.worker.output.includes('The relay is not reachable; due emails wait'));

  await postern.stack.relay.start();
  const back = performance.now();
  await until(async () => (await countOf(postern, `status = 'pending'`)) === 0);
  expect(performance.now() - back).toBeLessThan(5_500);
  await allSent(postern);
  expect(copies(postern)).toEqual(onceEach(ids));
});

test('a relay that is killed again and again in a burst loses and repeats nothing', async () => {
  await using postern = await startPostern({ relay: { DELIVERY_MODE: 'capture' } });
  const ids = await insert(postern, 400, { dueAt: inSeconds(0.5) });
  // What a killed relay did not answer comes back after the 20 seconds of its lease.
  const timeoutMs = 40_000;
  for (const share of [50, 150, 250]) {
    await until(async () => (await countOf(postern, `status <> 'pending'`)) >= share, { timeoutMs });
    postern.stack.relay.process.kill('SIGKILL');
    await postern.stack.relay.process.exited;
    await postern.stack.relay.start();
  }
  await until(async () => (await countOf(postern, `status = 'captured'`)) === ids.length, { timeoutMs });
  const { rows } = await postern.database.query<{ n: number }>('select count(*)::int as n from message');
  expect(rows[0]?.n).toBe(ids.length);
});

test('a mail that the relay refuses is held and does not keep the others waiting', async () => {
  await using postern = await startPostern();
  const [refused = ''] = await insert(postern, 1, {
    dueAt: inSeconds(-1),
    from: { address: 'stranger@example.org' },
  });
  const ids = await insert(postern, 20, { dueAt: inSeconds(-1) });
  await until(async () => (await countOf(postern, `status = 'sent'`)) === ids.length);
  expect(
    await until(async () => {
      const email = await readEmail(postern.database, refused);
      return email?.status === 'held' && email;
    }),
  ).toMatchObject({ reason: 'relay-refused', reasonDetail: expect.stringContaining('550 5.7.1') });
});

test('one of three workers is killed in a burst: everything is out within thirty seconds, once', async () => {
  await using postern = await startPostern({ workers: 3 });
  const { relay, workers } = postern.stack;
  relay.process.kill('SIGSTOP');
  const ids = await insert(postern, 600, { dueAt: inSeconds(0) });
  await until(async () => (await countOf(postern, 'hand_over_attempts > 0')) === ids.length);
  workers[0]?.process.kill('SIGKILL');
  const killed = performance.now();
  relay.process.kill('SIGCONT');

  await allSent(postern);
  expect(performance.now() - killed).toBeLessThan(30_000);
  expect(copies(postern)).toEqual(onceEach(ids));
});

test('a worker that is asked to stop finishes what it has begun and gives the rest back', async () => {
  await using postern = await startPostern({ worker: { WORKER_CONCURRENCY: '1' } });
  const { relay, worker } = postern.stack;
  relay.process.kill('SIGSTOP');
  await insert(postern, 50, { dueAt: inSeconds(0) });
  await until(async () => (await countOf(postern, 'hand_over_attempts = 1')) === 50);
  const stopped = worker.process.stop();
  await until(() => worker.process.log.some(({ msg }) => msg === 'Stopping'));
  relay.process.kill('SIGCONT');
  expect(await stopped).toEqual({ code: 0, signal: null });

  // As many as a concurrency of one has on their way.
  expect(await countOf(postern, `status <> 'pending'`)).toBeLessThanOrEqual(16);
  expect(await countOf(postern, `status = 'pending' and next_hand_over_at > now()`)).toBe(0);
});

test('a frozen relay does not keep the worker from stopping', async () => {
  await using postern = await startPostern();
  const { relay, worker } = postern.stack;
  relay.process.kill('SIGSTOP');
  await insert(postern, 1, { dueAt: inSeconds(0) });
  await until(async () => (await countOf(postern, 'hand_over_attempts = 1')) === 1);
  expect(await worker.process.stop()).toMatchObject({ code: 0 });
});

/** In an order that nobody could guess, but the same in every run. */
function shuffled<T>(list: readonly T[]): T[] {
  const result = [...list];
  let state = 1;
  for (let at = result.length - 1; at > 0; at--) {
    state = (state * 48_271) % 2_147_483_647;
    const other = state % (at + 1);
    [result[at], result[other]] = [result[other] as T, result[at] as T];
  }
  return result;
}

const races = runs(1_500);

test('no DATA is sent for mail whose cancel succeeded, all other mail reaches the provider once', {
  timeout: 90_000 + races * 20,
}, async () => {
  await using postern = await startPostern({ workers: 2, provider: { keepBytes: 2_000 } });
  const dataFor = new Set<string>();
  postern.stack.provider.on('data', ({ envelope }) => {
    for (const recipient of envelope.recipients) dataFor.add(recipient);
    return undefined;
  });
  const dueAt = inSeconds(1 + races / 2_000);
  const recipientOf = new Map<string, string>();
  const ids = await insert(postern, races, { dueAt });
  for (const [i, id] of ids.entries()) recipientOf.set(id, `r${i}@example.com`);
  await until(async () => (await countOf(postern, `status <> 'pending'`)) > 0, { timeoutMs: 30_000 });

  // Some are still at home, some with the relay, some on their way out.
  const outcomes = new Map<string, string>();
  const toCancel = shuffled(ids);
  const cancelOnAndOn = async () => {
    for (let id = toCancel.pop(); id !== undefined; id = toCancel.pop()) {
      outcomes.set(id, (await cancelEmail(postern.database, id, 'test')).outcome);
    }
  };
  await Promise.all(Array.from({ length: 10 }, cancelOnAndOn));
  await until(async () => (await countOf(postern, `status not in ('sent', 'cancelled')`)) === 0, {
    timeoutMs: 40_000 + races * 10,
  });

  const cancelled = ids.filter((id) => outcomes.get(id) === 'cancelled');
  const kept = ids.filter((id) => outcomes.get(id) === 'too-late');
  expect(cancelled.length + kept.length).toBe(races);
  expect(cancelled.filter((id) => dataFor.has(recipientOf.get(id) ?? ''))).toEqual([]);
  expect(copies(postern)).toEqual(onceEach(kept));
  const withTheRelay = await countOf(postern, `status = 'cancelled' and queue_id is not null`);
  for (const count of [kept.length, cancelled.length, withTheRelay]) expect(count).toBeGreaterThan(0);
  console.info(
    `${races} races: ${kept.length} sent, ${cancelled.length} cancelled, ${withTheRelay} of them at the relay`,
  );
});

test('a worker survives the death of PostgreSQL and goes on by itself', async () => {
  await using postgres = await ownPostgres();
  await using postern = await startPostern({ database: postgres });
  const { worker } = postern.stack;
  await until(() => worker.output.includes('Worker connected and looking for jobs'));
  const [before = ''] = await insert(postern, 1, { dueAt: inSeconds(0) });
  await until(async () => (await readEmail(postern.database, before))?.status === 'sent');

  await postgres.kill();
  await until(() => worker.output.includes('Due emails could not be read'));
  expect((await fetch(`${worker.healthUrl}/readyz`)).status).toBe(503);
  await postgres.start();

  await until(async () => (await fetch(`${worker.healthUrl}/readyz`)).status === 200);
  const [after = ''] = await insert(postern, 1, { dueAt: inSeconds(0) });
  await until(async () => (await readEmail(postern.database, after))?.status === 'sent', {
    timeoutMs: 30_000,
  });
  await until(() => worker.output.match(/Worker connected and looking for jobs/g)?.length === 2, {
    timeoutMs: 20_000,
  });
  expect(worker.process.exit).toBeUndefined();
});

/** What makes Node believe that it is another time. */
const clockShiftedBy = (hours: number) =>
  `--import data:text/javascript,${encodeURIComponent(`
    const shift = ${hours * 3_600_000};
    const Real = Date;
    globalThis.Date = class extends Real {
      constructor(...given) { given.length === 0 ? super(Real.now() + shift) : super(...given); }
      static now() { return Real.now() + shift; }
    };`)}`;

test.each([-1, 1])(
  'a worker whose clock is %i h off sends on time by the clock of PostgreSQL',
  async (hours) => {
    await using postern = await startPostern({ worker: { NODE_OPTIONS: clockShiftedBy(hours) } });
    await insert(postern, 1, { dueAt: inSeconds(1800) });
    const [due = ''] = await insert(postern, 1, { dueAt: inSeconds(0.5) });
    await until(async () => (await readEmail(postern.database, due))?.status === 'sent');
    expect((await readEmail(postern.database, due))?.latenessMs).toBeGreaterThanOrEqual(0);
    expect(await countOf(postern, `status = 'pending' and hand_over_attempts = 0`)).toBe(1);
    const shifted = new Date(String(postern.stack.worker.process.log[0]?.time)).getTime() - Date.now();
    expect(Math.round(shifted / 3_600_000)).toBe(hours);
  },
);

test('the worker tells that it lives, when it last looked, and how late mail was', async () => {
  await using postern = await startPostern({ processes: ['relay'] });
  expect((await emailStatus(postern.database)).scheduler).toEqual({ running: false, lastTick: null });
  await insert(postern, 1, { dueAt: inSeconds(-100) });
  await insert(postern, 2, { dueAt: inSeconds(3600) });
  await insert(postern, 3, { dueAt: inSeconds(-100), paused: true });
  await postern.stack.worker.start();
  const { scheduler } = await until(async () => {
    const status = await emailStatus(postern.database);
    return status.scheduler.lastTick && status;
  });
  expect(scheduler.running).toBe(true);
  await until(async () => (await countOf(postern, `status = 'sent'`)) === 1);

  const { healthUrl } = postern.stack.worker;
  const ready = await fetch(`${healthUrl}/readyz?verbose`);
  expect(await ready.json()).toMatchObject({ ready: true, relay_away: null, handed_over: 1 });
  const metrics = await (await fetch(`${healthUrl}/metrics`)).text();
  expect(metrics).toMatch(/^postern_hand_overs_total{.*outcome="accepted".*} 1$/m);
  expect(metrics).toMatch(/^postern_email_lateness_seconds_bucket{le="30",.*} 0$/m);
  expect(metrics).toMatch(/^postern_email_lateness_seconds_bucket{le="300",.*} 1$/m);
  expect(metrics).toMatch(/^postern_outbox_emails{state="scheduled",.*} 2$/m);
  expect(metrics).toMatch(/^postern_outbox_emails{state="due",.*} 0$/m);
  expect(metrics).toMatch(/^postern_outbox_emails{state="paused",.*} 3$/m);
});
