// One client with a valid key sends what is large, deep or crowded. The process stays small, goes on answering others,
// and says no in words.
import { readdir, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { costlyBodies } from '../kit/costly.ts';
import { longestRoundMs, watchRounds } from '../kit/longest-round.ts';
import { type Stack, startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';

const adminPassword = 'invented for this test';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({
    processes: ['api'],
    provider: false,
    api: { SMTP_FROM_EMAIL: 'shop@example.com', ADMIN_PASSWORD: adminPassword },
  });
});
afterAll(() => stack[Symbol.asyncDispose]());

/** proc(5): the highest resident memory since the start, in MB. */
async function peakMb(): Promise<number> {
  const status = await readFile(`/proc/${stack.api.process.pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}

/** What the process holds open, connections above all. Counted there: the kernel connects clients whom it never meets. */
const handles = async () => (await readdir(`/proc/${stack.api.process.pid}/fd`)).length;

const mail = (more: object) => ({ to: 'ann@example.com', subject: 'Hello', text: 'Hello.', ...more });

test.each([
  [
    'unknown fields',
    () => JSON.stringify(Object.fromEntries(Array.from({ length: 40_000 }, (_, n) => [`f${n}`, 1]))),
  ],
  [
    'headers',
    () => `{"to":"a@example.com","subject":"x","headers":{${'"X-A":"b",'.repeat(1_500_000)}"X-B":"c"}}`,
  ],
  [
    'header names',
    () =>
      JSON.stringify(
        mail({ headers: Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => [`X-${n}`, 'v'])) }),
      ),
  ],
  ['recipients', () => JSON.stringify(mail({ to: Array.from({ length: 50_000 }, () => 'x') }))],
  ['nesting', () => `${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`],
  ['nested objects', () => `${'{"a":'.repeat(200_000)}1${'}'.repeat(200_000)}`],
])('too many or too deep: %s', async (_, body) => {
  const { status, body: problem } = await stack.api.post('/api/v1/emails', body());
  expect([status, problem.type]).toEqual([422, '/problems/invalid-fields']);
  expect(problem.errors.length).toBeLessThanOrEqual(100);
  expect(JSON.stringify(problem).length).toBeLessThan(64_000);
});

test('a batch of millions of nothings', async () => {
  const { status } = await stack.api.post('/api/v1/emails/batch', `{"emails":[${'0,'.repeat(2_500_000)}0]}`);
  expect(status).toBe(422);
  expect(stack.api.process.exit).toBeUndefined();
});

test('sixteen uploads of 24 MB at once are all committed, in less than 400 MB', async () => {
  const content = Buffer.alloc(18_000_000, 'postern').toString('base64');
  const body = JSON.stringify(
    mail({
      scheduled_datetime: '2999-01-01T00:00:00Z',
      attachments: [{ filename: 'a.bin', content }],
    }),
  );
  const answers = await Promise.all(Array.from({ length: 16 }, () => stack.api.post('/api/v1/emails', body)));
  expect(answers.map(({ status }) => status)).toEqual(Array(16).fill(202));
  const { rows } = await stack.database.query<{ count: number }>(
    'select count(*)::int as count from email_attachment where octet_length(content) = 18000000',
  );
  expect(rows[0]?.count).toBe(16);
  expect(await peakMb()).toBeLessThan(400);
});

test('thirty windows of the dashboard that show these mails and read slowly take little memory', async () => {
  const { rows } = await stack.database.query<{ id: string }>('select email_id as id from email_attachment');
  const page = { 'x-postern-dashboard': '1' };
  const signedIn = await stack.api.post(
    '/dashboard/sign-in',
    { password: adminPassword },
    { key: null, headers: page },
  );
  const cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? '';
  const closed = new AbortController();
  const before = await peakMb();
  const paths = rows.flatMap(({ id }) => [`${id}/source`, `${id}/attachments/0`]).slice(0, 30);
  const windows = await Promise.all(
    paths.map((path) =>
      fetch(`${stack.api.url}/dashboard/emails/${path}`, {
        headers: { ...page, cookie },
        signal: closed.signal,
      }),
    ),
  );
  // Each has begun, and nobody reads on.
  const firsts = await Promise.all(windows.map((window) => window.body?.getReader().read()));
  expect([windows.map(({ status }) => status), firsts.length]).toEqual([Array(30).fill(200), 30]);
  // All of them whole would be 600 MB.
  expect((await peakMb()) - before).toBeLessThan(100);
  closed.abort();
});

test.each([
  ['nothing', ''],
  ['half a header', `GET /livez HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(8_000)}`],
])(
  'who opens thousands of connections and says %s takes neither the memory nor the door',
  async (_, words) => {
    const opened = Array.from({ length: 4_000 }, async () => {
      const socket = connect(stack.api.port, '127.0.0.1');
      socket.on('error', () => {}).resume();
      await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
      socket.write(words);
      return socket;
    });
    let answered = false;
    let most = 0;
    try {
      const watch = (async () => {
        while (!answered) most = Math.max(most, await handles());
      })();
      await Promise.all(opened);
      await until(async () => (await stack.api.get('/livez')).status === 200, { timeoutMs: 30_000 });
      answered = true;
      await watch;
      // Beside the connections: the files, the pool and the listener of the process itself.
      expect(most).toBeGreaterThan(1_500);
      expect(most).toBeLessThan(2_100);
      expect(stack.api.process.exit).toBeUndefined();
    } finally {
      answered = true;
      for (const socket of await Promise.all(opened)) socket.destroy();
    }
  },
);

test('who announces much and sends nothing keeps nobody out', async () => {
  const sockets = Array.from({ length: 60 }, () => connect(stack.api.port, '127.0.0.1'));
  for (const socket of sockets) {
    socket.on('error', () => {});
    socket.write(
      `POST /api/v1/emails HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${stack.api.key}\r\n` +
        'Content-Type: application/json\r\nContent-Length: 24000000\r\n\r\n{"to":',
    );
  }
  try {
    const content = Buffer.alloc(1_000_000).toString('base64');
    const body = mail({
      scheduled_datetime: '2999-01-01T00:00:00Z',
      attachments: [{ filename: 'a.bin', content }],
    });
    await until(async () => (await stack.api.post('/api/v1/emails', body)).status === 202);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
});

// Each of them stopped the api for a second or longer once. All kinds are measured by `npm run bench livez`.
test('no body keeps everybody else waiting', { timeout: 240_000 }, async () => {
  await using own = await startStack({
    processes: ['api', 'relay'],
    api: { SMTP_FROM_EMAIL: 'shop@example.com', ...watchRounds },
  });
  const since = own.api.process.log.length;
  const slow = [
    '59,000 unknown fields with names of 250 characters',
    '15 MB of mailto: in one address',
    'a batch of names and blanks without an address',
    'a batch of lists of 24,000 commas',
    'a batch with 4,000 recipients and 58 KB of headers each',
    'an attachment of 18 MB with every slash escaped',
  ];
  for (const costly of costlyBodies.filter(({ what }) => slow.includes(what))) {
    const { status } = await own.api.post(costly.path ?? '/api/v1/emails', costly.body());
    expect([202, 422], costly.what).toContain(status);
  }
  await own.api.process.stop();
  expect(longestRoundMs(own.api.process, since)).toBeLessThan(250);
});
