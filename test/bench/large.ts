// Fifty messages of 25 MB at once, in and out again: none may be lost, and the relay must not keep them in memory.
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { createTemplate } from '../kit/database.ts';
import { startPostgres } from '../kit/postgres.ts';
import { startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';
import type { Benchmark } from './measurement.ts';
import { startCountingSink, towards } from './sink.ts';

const messages = 50;
const bytes = 25_000_000;
const line = `${'0123456789abcdef'.repeat(4)}\r\n`;

export const large: Benchmark = async (say) => {
  await using server = await startPostgres({ kind: 'embedded' });
  await using sink = await startCountingSink();
  await using stack = await startStack({
    template: await createTemplate(server.url),
    processes: ['relay'],
    provider: false,
    relay: towards(sink),
  });
  const body = Buffer.from(line.repeat(Math.ceil(bytes / line.length)));
  const began = performance.now();
  await Promise.all(Array.from({ length: messages }, (_, n) => submit(stack.relay.port, n, body)));
  const accepted = (performance.now() - began) / 1_000;
  say(`all of ${messages} accepted after ${accepted.toFixed(1)} s`);
  // What does not arrive shows as lost; waiting for ever would only hide it.
  await until(() => sink.taken >= messages, { timeoutMs: 300_000 }).catch(() => {});
  const through = (performance.now() - began) / 1_000;
  const peak = (await peakMemory(stack.relay.process.pid)) / 1024 ** 2;
  say(`${sink.taken} delivered after ${through.toFixed(1)} s, relay RSS at most ${peak.toFixed(0)} MB`);
  const what = `${messages} parallel messages of ${bytes / 1e6} MB`;
  const detail = { acceptedAfterSeconds: accepted, deliveredAfterSeconds: through };
  return [
    { what: `${what}, lost`, unit: 'messages', postern: messages - sink.taken, target: '0', detail },
    { what: `${what}, relay RSS at most`, unit: 'MB', postern: peak, target: '≤ 400 MB' },
  ];
};

/** Resolves when the relay has answered 250; sends no faster than it reads. */
async function submit(port: number, n: number, body: Buffer): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1' });
  await using _ = { [Symbol.asyncDispose]: async () => void socket.destroy() };
  const replies = readReplies(socket);
  const header = `From: ann@example.com\r\nSubject: ${n}\r\nMessage-ID: <large-${n}@example.com>\r\n\r\n`;
  const commands = ['EHLO bench', 'MAIL FROM:<ann@example.com>', 'RCPT TO:<bob@example.net>', 'DATA'];
  await expectYes(replies);
  for (const command of commands) {
    socket.write(`${command}\r\n`);
    await expectYes(replies);
  }
  socket.write(header);
  if (!socket.write(body)) await once(socket, 'drain');
  socket.write('.\r\n');
  await expectYes(replies);
}

async function expectYes(replies: AsyncIterator<string>): Promise<void> {
  const { value } = await replies.next();
  if (!/^[23]/.test(value ?? '')) throw new Error(`the relay answered ${value ?? 'nothing'}`);
}

/** The last line of each reply. */
async function* readReplies(socket: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let pending = '';
  for await (const chunk of socket) {
    pending += chunk.toString('latin1');
    const lines = pending.split('\r\n');
    pending = lines.pop() ?? '';
    yield* lines.filter((each) => /^\d{3} /.test(each));
  }
}

/** proc(5): the highest resident memory since the start, in bytes. */
async function peakMemory(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}
