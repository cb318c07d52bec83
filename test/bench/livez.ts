// How long one request keeps others waiting: bodies within the limits go to an api, and another process asks the same
// api for /livez every 10 ms. Beside that, what the api did at most in one round of its event loop: on a busy machine
// that tells what is ours of the wait.
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type CostlyBody, costlyBodies } from '../kit/costly.ts';
import { createTemplate } from '../kit/database.ts';
import { longestRoundMs, watchRounds } from '../kit/longest-round.ts';
import { startPostgres } from '../kit/postgres.ts';
import { type Stack, startStack } from '../kit/stack.ts';
import type { Benchmark } from './measurement.ts';
import { startCountingSink, towards } from './sink.ts';

export const livez: Benchmark = async (say) => {
  await using server = await startPostgres({ kind: 'embedded' });
  await using sink = await startCountingSink();
  await using stack = await startStack({
    template: await createTemplate(server.url),
    processes: ['api', 'relay'],
    provider: false,
    relay: towards(sink),
    api: { SMTP_FROM_EMAIL: 'ann@example.com', LOG_LEVEL: 'warn', ...watchRounds },
  });
  await using asking = await askForEver(`${stack.api.healthUrl}/livez`);
  await pause(1_000);
  const idle = await asking.worst();
  say(`without any body: ${idle.toFixed(0)} ms`);

  const bodies: { what: string; ms: number; roundMs: number }[] = [];
  for (const costly of costlyBodies) {
    const text = costly.body();
    await asking.worst();
    const since = stack.api.process.log.length;
    const answers = await send(stack, costly, text);
    // What goes on behind the answer counts as well.
    await pause(500);
    const ms = await asking.worst();
    const roundMs = longestRoundMs(stack.api.process, since);
    bodies.push({ what: costly.what, ms, roundMs });
    const size = (text.length / 1e6).toFixed(1);
    say(`${costly.what}: ${ms.toFixed(0)} ms, round ≤ ${roundMs} ms (${size} MB, ${answers.join(' ')})`);
  }
  const peak = await peakMb(stack.api.process.pid);
  const behind = `behind ${bodies.length} kinds of costly bodies`;
  const most = { unit: 'ms', target: '≤ 250 ms' } as const;
  return [
    {
      what: `/livez ${behind}, at most`,
      postern: Math.max(...bodies.map(({ ms }) => ms)),
      ...most,
      detail: { idle, bodies },
    },
    {
      what: `one round of the api ${behind}, at most`,
      postern: Math.max(...bodies.map(({ roundMs }) => roundMs)),
      ...most,
    },
    { what: `api RSS ${behind}, without a memory limit`, unit: 'MB', postern: peak, target: 'reported' },
  ];
};

/** Sends it as often as it says, and tells the answers. */
async function send({ api }: Stack, costly: CostlyBody, text: string): Promise<string[]> {
  const { method = 'POST', path = '/api/v1/emails', atOnce = 1, withKey } = costly;
  const key = randomUUID();
  const one = async (body: string) => {
    const wishes = { headers: withKey ? { 'Idempotency-Key': key } : {} };
    const asked = method === 'PUT' ? api.put(path, body, wishes) : api.post(path, body, wishes);
    // Who is cut off in the middle of a body hears no answer.
    const { status } = await asked.catch(() => ({ status: 'cut off' }));
    return String(status);
  };
  if (!withKey) return Promise.all(Array.from({ length: atOnce }, () => one(text)));
  const again = text.replace('Hello', 'Hullo');
  return [await one(text), await one(text), await one(again)];
}

/** proc(5): the highest resident memory since the start, in MB. */
async function peakMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}

type Asking = AsyncDisposable & {
  /** The longest wait since this was asked last, in ms. */
  worst(): Promise<number>;
};

async function askForEver(url: string): Promise<Asking> {
  const child = fork(fileURLToPath(import.meta.url), [url]);
  await once(child, 'message');
  const lastResort = () => child.kill();
  process.once('exit', lastResort);
  return {
    async worst() {
      child.send('worst');
      const [{ worst }] = (await once(child, 'message')) as [{ worst: number }];
      return worst;
    },
    async [Symbol.asyncDispose]() {
      process.off('exit', lastResort);
      const gone = once(child, 'exit');
      child.kill();
      await gone;
    },
  };
}

/** The other process: asks every 10 ms, whether or not the answers before have come. */
function ask(url: string): void {
  const agent = new Agent({ keepAlive: true });
  const open = new Set<number>();
  let worst = 0;
  setInterval(() => {
    const began = performance.now();
    open.add(began);
    const over = () => {
      open.delete(began);
      worst = Math.max(worst, performance.now() - began);
    };
    get(url, { agent }, (response) => response.resume().once('end', over)).once('error', over);
  }, 10);
  process.on('message', async () => {
    const now = performance.now();
    while ([...open].some((began) => began < now)) await pause(5);
    process.send?.({ worst });
    worst = 0;
  });
  process.once('disconnect', () => process.exit());
  process.send?.('ready');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) ask(process.argv[2] ?? '');
