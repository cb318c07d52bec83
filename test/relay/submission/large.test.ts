import { readdir, readFile } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBudget } from '../../../deploy/budget.ts';
import { openDatabase } from '../../../deploy/database.ts';
import { receive } from '../../../relay/submission/receive.ts';
import type { Stack } from '../../kit/stack.ts';
import { until } from '../../kit/until.ts';
import { countRows, logIn, messageWith, startRelay, storedBytes, submitted } from './submitting.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startRelay();
});
afterAll(() => stack[Symbol.asyncDispose]());

const orphans = () =>
  countRows(stack, 'message_part p where not exists (select from message m where m.queue_id = p.queue_id)');

// A busy machine takes its time for megabytes.
const patient = { timeoutMs: 60_000 };

const line = `${'0123456789abcdef'.repeat(4)}\r\n`;
const bodyOf = (bytes: number) => line.repeat(Math.ceil(bytes / line.length));
const distinct = (body: string) => messageWith(body, [`X-Distinct: ${crypto.randomUUID()}`]);

/** What the kernel says, in bytes: the resident memory now, and the highest since the start. */
async function memory(pid: number): Promise<{ now: number; peak: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const bytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024;
  return { now: bytes('VmRSS'), peak: bytes('VmHWM') };
}

/** Files and sockets that a process has open. */
const handles = async (pid: number) => (await readdir(`/proc/${pid}/fd`)).length;

test('25 MB arrive in parts, whole and in order', async () => {
  await using client = await logIn(stack, stack.relay.application, patient);
  const message = distinct(bodyOf(25_000_000));
  const queueId = await submitted(client, message);
  const stored = await storedBytes(stack, queueId);
  expect(stored.subarray(stored.length - message.length).equals(message)).toBe(true);
  const { rows } = await stack.database.query<{ size: number }>(
    'select size from message where queue_id = $1',
    [queueId],
  );
  expect(rows[0]?.size).toBe(stored.length);
}, 60_000);

test('a large message submitted twice is one, and the parts of the second are gone', async () => {
  await using client = await logIn(stack);
  const message = distinct(bodyOf(600_000));
  const queueId = await submitted(client, message);
  expect(await submitted(client, message)).toBe(queueId);
  await until(async () => (await orphans()) === 0, { what: 'the parts to be removed' });
});

test('a large message that takes longer than its parts are kept is given up, and nothing of it stays', async () => {
  await using database = openDatabase({ url: stack.database.url, applicationName: 'test' });
  const stream = Object.assign(new PassThrough(), { byteLength: 0, sizeExceeded: false });
  const received = receive({
    stream,
    queueId: '0000000000000000',
    database,
    budget: openBudget(1_000_000),
    question: {
      allowed: ['*'],
      mailFrom: '',
      rewriteTo: undefined,
      mayHandOverEmails: false,
      now: new Date(),
    },
    trace: () => '',
    digestOf: '',
    longestMs: 0,
  });
  const message = distinct(bodyOf(700_000));
  stream.write(message.subarray(0, 500_000));
  stream.end(message.subarray(500_000));
  expect(await received).toMatchObject({ code: 451, enhanced: '4.4.2' });
  expect(await orphans()).toBe(0);
});

test('a thousand clients that go away in the middle leave no row, no handle and no memory', async () => {
  const { pid } = stack.relay.process;
  const before = await countRows(stack, 'message');
  const big = bodyOf(400_000);
  let afterHalf = { handles: 0, memory: 0 };
  for (let round = 0; round < 50; round++) {
    await Promise.all(
      Array.from({ length: 20 }, async (_, n) => {
        await using client = await logIn(stack);
        if (n % 4 === 0) return;
        await client.send('MAIL FROM:<ann@example.com>').expect('250 *');
        if (n % 4 === 1) return client.reset();
        await client.send('RCPT TO:<bob@example.net>').expect('250 *');
        await client.send('DATA').expect('354 *');
        client.raw(messageWith(n % 4 === 2 ? 'half a mes' : round % 10 === 0 ? big : 'x'.repeat(40_000)));
        await new Promise(setImmediate);
        if (n % 8 === 3) client.reset();
      }),
    );
    if (round === 24) afterHalf = { handles: await handles(pid), memory: (await memory(pid)).now };
  }
  await until(
    async () => {
      const answer = await fetch(`${stack.relay.healthUrl}/readyz?verbose`);
      const { sessions } = (await answer.json()) as { sessions: number };
      return sessions === 0 && (await orphans()) === 0;
    },
    { what: 'sessions and parts to be gone' },
  );
  // What one half leaves behind, the other would double; a few connections to the database may come in between.
  await until(async () => (await handles(pid)) <= afterHalf.handles + 16, {
    what: 'every handle to be closed',
  });
  expect((await memory(pid)).now - afterHalf.memory).toBeLessThan(50 * 1024 * 1024);
  expect(await countRows(stack, 'message')).toBe(before);
  await using client = await logIn(stack);
  await submitted(client, messageWith('still here\r\n'));
}, 60_000);

test('more large messages at once than memory has room for wait for each other, and all arrive', async () => {
  const body = bodyOf(1_000_000);
  const before = await countRows(stack, 'message');
  await Promise.all(
    Array.from({ length: 100 }, async () => {
      await using client = await logIn(stack, stack.relay.application, patient);
      await submitted(client, distinct(body));
    }),
  );
  expect(await countRows(stack, 'message')).toBe(before + 100);
  expect((await memory(stack.relay.process.pid)).peak).toBeLessThan(400 * 1024 * 1024);
}, 120_000);
