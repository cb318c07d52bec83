import { expect, test } from 'vitest';
import { insertEmails, readEmail } from '../../relay/client/email.ts';
import { emailStatus } from '../../relay/client/heartbeat.ts';
import { startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';
import { type AcceptingRelay, refusal, startAcceptingRelay } from '../relay/client/accepting-relay.ts';
import { draft, inSeconds, insert, startPostern, type TestPostern } from '../relay/client/postern.ts';

/** Worker processes on the given database, in front of the given relay. */
const startWorkers = ({ db }: TestPostern, relay: AcceptingRelay, { workers = 1, concurrency = 10 } = {}) =>
  startStack({
    processes: ['worker'],
    provider: false,
    workers,
    database: db,
    worker: {
      RELAY_PORT: String(relay.port),
      RELAY_PASSWORD: relay.password,
      WORKER_CONCURRENCY: String(concurrency),
    },
  });

const insertDue = async ({ database }: TestPostern, count: number, dueAt: Date): Promise<string[]> => {
  const inserted = await database.transaction((tx) =>
    insertEmails(
      tx,
      Array.from({ length: count }, (_, i) => draft({ subject: `Number ${i}`, dueAt })),
    ),
  );
  return inserted.map(({ id }) => id);
};

test('mail leaves when its time has come, not before and hardly after', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  await using stack = await startWorkers(postern, relay);

  const ids: string[] = [];
  for (let i = 0; i < 10; i++) ids.push(...(await insertDue(postern, 1, inSeconds(0.5 + i * 0.1))));
  await until(() => relay.taken.length === 10);

  for (const id of ids) {
    const { latenessMs } = (await readEmail(postern.database, id)) ?? {};
    expect(latenessMs).toBeGreaterThanOrEqual(0);
    expect(latenessMs).toBeLessThan(1_000);
  }
  expect(stack.worker.output).toContain('Email scheduler started');
  expect(stack.worker.output).toContain('EMAIL SCHEDULER - Checking for scheduled emails');
});

test('what the api left behind is handed over once its lease is over', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  const { id } = await insert(postern.database, { kind: 'invitation' });
  await using _stack = await startWorkers(postern, relay);
  await until(async () => (await readEmail(postern.database, id))?.status === 'queued');
});

test('three workers hand over each mail once', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  await using _stack = await startWorkers(postern, relay, { workers: 3 });
  const ids = await insertDue(postern, 1_000, inSeconds(1));
  await until(() => relay.taken.length >= ids.length);
  expect(relay.taken.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
});

test('mail waits for a relay that is away and leaves within five seconds of its return', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  await relay.stop();
  await using stack = await startWorkers(postern, relay);
  const ids = await insertDue(postern, 50, inSeconds(0));
  await until(() => stack.worker.output.includes('Mail waits for the relay'));

  await relay.start();
  const back = performance.now();
  await until(() => relay.taken.length >= ids.length);
  expect(performance.now() - back).toBeLessThan(5_500);
  expect(new Set(relay.taken.map(({ id }) => id)).size).toBe(ids.length);
});

test('a mail that the relay refuses is held and does not keep the others waiting', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  const [bad = '', ...good] = await insertDue(postern, 20, inSeconds(-1));
  relay.before = (id) => {
    if (id === bad) throw refusal(550, '5.7.1 sender not allowed');
  };
  await using _stack = await startWorkers(postern, relay);
  await until(() => relay.taken.length === good.length);
  await until(async () => (await readEmail(postern.database, bad))?.status === 'held');
});

test('a killed worker’s mail is handed over by another within thirty seconds, once', {
  timeout: 60_000,
}, async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>();
  await using stack = await startWorkers(postern, relay, { workers: 2 });
  await until(async () => (await emailStatus(postern.database)).scheduler.lastTick);
  const ids = await insertDue(postern, 400, inSeconds(0.5));
  relay.before = () => (relay.taken.length < 100 ? undefined : mayGoOn);
  await until(() => relay.taken.length >= 100);

  stack.workers[0]?.process.kill('SIGKILL');
  const killed = performance.now();
  goOn();
  await until(
    async () => {
      const { rows } = await postern.db.query<{ waiting: number }>(
        `select count(*)::int as waiting from email where status = 'pending'`,
      );
      return rows[0]?.waiting === 0;
    },
    { timeoutMs: 35_000 },
  );
  expect(performance.now() - killed).toBeLessThan(30_000);
  const { rows } = await postern.db.query<{ messages: number }>(
    'select count(*)::int as messages from message',
  );
  expect(rows[0]?.messages).toBe(ids.length);
});

test('a worker that is asked to stop finishes what it has begun and gives the rest back', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>();
  relay.before = () => mayGoOn;
  await using stack = await startWorkers(postern, relay, { concurrency: 2 });
  await insertDue(postern, 50, inSeconds(0));
  await until(async () => {
    const { rows } = await postern.db.query<{ claimed: number }>(
      'select count(*)::int as claimed from email where hand_over_attempts = 1',
    );
    return rows[0]?.claimed === 50;
  });
  const stopped = stack.worker.process.stop();
  goOn();
  expect(await stopped).toEqual({ code: 0, signal: null });

  const taken = relay.taken.length;
  expect(taken).toBeLessThanOrEqual(4);
  const { rows } = await postern.db.query<{ waiting: number; free: number }>(
    `select count(*)::int as waiting, (count(*) filter (where next_hand_over_at <= now()))::int as free
     from email where status = 'pending'`,
  );
  expect(rows[0]).toEqual({ waiting: 50 - taken, free: 50 - taken });
});

test('a frozen relay does not keep the worker from stopping', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>();
  relay.before = () => mayGoOn;
  await using stack = await startWorkers(postern, relay);
  await insertDue(postern, 1, inSeconds(0));
  await until(() => relay.connections > 0);
  expect(await stack.worker.process.stop()).toMatchObject({ code: 0 });
  goOn();
});

test('the worker tells that it lives and when it last looked', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  expect(await emailStatus(postern.database)).toMatchObject({
    configured: false,
    relay: 'never seen',
    scheduler: { running: false, lastTick: null },
  });
  await using stack = await startWorkers(postern, relay);
  const { scheduler } = await until(async () => {
    const status = await emailStatus(postern.database);
    return status.scheduler.lastTick && status;
  });
  expect(scheduler.running).toBe(true);
  const ready = await fetch(`${stack.worker.healthUrl}/readyz?verbose`);
  expect(await ready.json()).toMatchObject({ ready: true, relay_away: null, handed_over: 0 });
});
