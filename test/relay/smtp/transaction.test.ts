// MAIL, RCPT, DATA and the body, with servers that answer in their own way.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { openSession, type Session } from '../../../relay/smtp/session.ts';
import { usualSmtpTimeouts } from '../../../relay/smtp/timeouts.ts';
import type { Fence, OutgoingMessage } from '../../../relay/smtp/transaction.ts';

/** What the server answers to a line; inside a message to each of its lines, where `''` is no answer. */
type Answers = (line: string, before: readonly string[]) => string;

type Server = AsyncDisposable & { readonly port: number; readonly lines: readonly string[] };

/** A server of which only EHLO and QUIT are as usual. */
async function startServer(offers: readonly string[], answers: Answers): Promise<Server> {
  const lines: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    let rest = '';
    sockets.add(socket);
    socket.on('error', () => {});
    socket.write('220 odd.example.net\r\n');
    socket.on('data', (chunk) => {
      const parts = (rest + chunk.toString('latin1')).split('\r\n');
      rest = parts.pop() ?? '';
      for (const line of parts) {
        const answer = line.startsWith('EHLO')
          ? ['odd.example.net', ...offers]
              .map((each, at) => `250${at < offers.length ? '-' : ' '}${each}`)
              .join('\r\n')
          : answers(line, lines);
        if (!line.startsWith('EHLO')) lines.push(line);
        if (answer !== '') socket.write(`${answer}\r\n`);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    lines,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function sessionWith({ port }: Server): Promise<Session> {
  const opened = await openSession({
    route: { name: 'primary', host: '127.0.0.1', port, tlsMode: 'none' },
    authorities: [],
    timeoutMs: 20_000,
    timeouts: usualSmtpTimeouts,
    signal: new AbortController().signal,
  });
  if (!('session' in opened)) throw new Error(JSON.stringify(opened.failure));
  return opened.session;
}

const mail = (more: Partial<OutgoingMessage> = {}): OutgoingMessage => ({
  sender: 'ann@example.com',
  recipients: ['bob@example.net', 'eve@example.net'],
  size: 30,
  eightBit: false,
  utf8Header: false,
  body: Buffer.from('Subject: x\r\n\r\nhello\r\n'),
  ...more,
});

const open: Fence = { approach() {}, pass: async () => ({ pass: true }) };

/** Yes to everything, but for what `odd` answers. */
const usually =
  (odd: Answers): Answers =>
  (line, before) => {
    const answer = odd(line, before);
    if (answer !== '') return answer;
    if (line === '.') return '250 2.0.0 Ok: queued as ODD';
    if (line === 'DATA') return '354 go on';
    return /^(?:MAIL|RCPT|RSET)/.test(line) ? '250 2.0.0 Ok' : '';
  };

test('without PIPELINING each command waits for the reply to the one before', async () => {
  let awaited = 0;
  await using server = await startServer([], (line) => {
    // Whatever came along with it would already be there.
    if (/^(?:MAIL|RCPT|DATA)/.test(line)) awaited++;
    return usually((each) => (each.startsWith('RCPT TO:<eve') ? '550 5.1.1 No Eve' : ''))(line, []);
  });
  const session = await sessionWith(server);
  const { accepted, refused, end } = await session.send(mail(), open);
  expect(end).toMatchObject({ kind: 'answered', reply: { code: 250 } });
  expect(accepted).toEqual(['bob@example.net']);
  expect(refused.get('eve@example.net')).toMatchObject({ stage: 'rcpt', symptom: { responseCode: 550 } });
  expect(awaited).toBe(4);
  session.destroy();
});

test('a server that takes DATA for nobody gets an empty message, and the session goes on', async () => {
  await using server = await startServer(
    ['PIPELINING'],
    usually((line) => (line.startsWith('RCPT') ? '450 4.2.0 Later' : line === '.' ? '554 5.5.1 Nobody' : '')),
  );
  const session = await sessionWith(server);
  const { end } = await session.send(mail(), open);
  expect(end).toMatchObject({ kind: 'failed', failure: { stage: 'rcpt', symptom: { responseCode: 450 } } });
  expect(server.lines.slice(-2)).toEqual(['.', 'RSET']);
  expect(session.isOpen).toBe(true);
  session.destroy();
});

test('a server that takes DATA after it refused the sender is left', async () => {
  await using server = await startServer(
    ['PIPELINING'],
    usually((line) => (line.startsWith('MAIL') ? '550 5.7.1 Not you' : '')),
  );
  const session = await sessionWith(server);
  const { end, refused } = await session.send(mail(), open);
  expect(end).toMatchObject({ kind: 'failed', failure: { stage: 'mail', symptom: { responseCode: 550 } } });
  expect([...refused]).toEqual([]);
  expect(session.isOpen).toBe(false);
  expect(server.lines).not.toContain('.');
});

test.each([
  ['a refusal', '552 5.3.4 Too big', 552],
  ['a yes', '250 2.0.0 Ok', 250],
])(
  '%s that comes before the dot ends the mail there, and nobody takes it for the final reply',
  async (_, early, code) => {
    await using server = await startServer(
      ['PIPELINING'],
      usually((line) => (line === 'early' ? early : '')),
    );
    let more = true;
    async function* body() {
      yield Buffer.from('Subject: x\r\n\r\nearly\r\n');
      // The server has answered, and the rest of the message never ends.
      while (more) yield Buffer.alloc(1_000, 'a\r\n');
    }
    const session = await sessionWith(server);
    const { end } = await session.send(mail({ body: body(), size: 1_000_000 }), open);
    more = false;
    expect(end).toMatchObject({
      kind: 'failed',
      failure: { stage: 'data', symptom: { responseCode: code } },
    });
    expect(session.isOpen).toBe(false);
    expect(server.lines).not.toContain('.');
  },
);

test('421 in the middle of the commands ends the mail with those words', async () => {
  await using server = await startServer(
    ['PIPELINING'],
    usually((line) => (line.startsWith('RCPT TO:<eve') ? '421 4.3.2 Shutting down' : '')),
  );
  const session = await sessionWith(server);
  const { end } = await session.send(mail(), open);
  expect(end).toMatchObject({ kind: 'failed', failure: { symptom: { responseCode: 421 } } });
  expect(session.isOpen).toBe(false);
});

test('what is larger than the server has said it takes is not sent to it', async () => {
  await using server = await startServer(
    ['PIPELINING', 'SIZE 20'],
    usually(() => ''),
  );
  const session = await sessionWith(server);
  const { end } = await session.send(mail(), open);
  expect(end).toMatchObject({
    kind: 'failed',
    failure: { stage: 'mail', symptom: { message: 'Message size larger than allowed 20' } },
  });
  expect(server.lines.filter((line) => line.startsWith('MAIL'))).toEqual([]);
  session.destroy();
});

test('a body that breaks off never gets its dot, and its source is closed', async () => {
  await using server = await startServer(
    ['PIPELINING'],
    usually(() => ''),
  );
  let isClosed = false;
  async function* body() {
    try {
      yield Buffer.from('Subject: x\r\n\r\nhalf\r\n');
      throw new Error('part 1 is missing');
    } finally {
      isClosed = true;
    }
  }
  const session = await sessionWith(server);
  const { end } = await session.send(mail({ body: body() }), open);
  expect(end).toMatchObject({ kind: 'failed', failure: { symptom: { message: 'part 1 is missing' } } });
  expect({ isClosed, isOpen: session.isOpen }).toEqual({ isClosed: true, isOpen: false });
  expect(server.lines).not.toContain('.');
});
