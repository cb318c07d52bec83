// How fast customers are created, with everything on this machine: database, api, relay, worker, provider and the load.
// Besides the rate it tells what each process spent of the processors on one request: that stays true on a machine
// that is busy with something else.
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { createTemplate, freshDatabase } from '../kit/database.ts';
import { startPostgres } from '../kit/postgres.ts';
import { type Stack, startStack } from '../kit/stack.ts';
import { blackHole } from '../kit/strangers.ts';
import type { Benchmark, Measurement } from './measurement.ts';

const clients = 50;
const warmUp = 500;
const requests = 10_000;

export const api: Benchmark = async (say) => {
  await using server = await startPostgres({ kind: 'embedded' });
  const template = await createTemplate(server.url);
  const quiet = { LOG_LEVEL: 'info' };

  const measure = async (what: string, relay: Readonly<Record<string, string>>) => {
    await using database = await freshDatabase(template);
    await using stack = await startStack({
      database,
      api: quiet,
      worker: quiet,
      relay: { ...quiet, ...relay },
    });
    await load(stack, warmUp, 'warm');
    const before = await processorSeconds(stack);
    const { seconds, latenciesMs } = await load(stack, requests, 'load');
    const spent = await processorSeconds(stack);
    const millisecondsPerRequest = Object.fromEntries(
      Object.entries(spent).map(([name, after]) => [
        name,
        Number((((after - (before[name] ?? 0)) * 1000) / requests).toFixed(2)),
      ]),
    );
    const result = {
      perSecond: requests / seconds,
      p50: percentile(latenciesMs, 0.5),
      p99: percentile(latenciesMs, 0.99),
      processorMs: millisecondsPerRequest,
    };
    say(`${what}: ${JSON.stringify(result)}`);
    return result;
  };

  const healthy = await measure('provider answers', {});
  await using hole = await blackHole();
  const dark = await measure('provider is a black hole', {
    SMTP_HOST: '127.0.0.1',
    SMTP_PORT: String(hole.port),
    SMTP_TLS_MODE: 'implicit',
    SMTP_FAILOVER: 'off',
  });

  const what = `POST /api/customers with invitation, ${clients} clients`;
  const measurements: Measurement[] = [
    { what, unit: 'requests/s', postern: healthy.perSecond, target: '≥ 500', detail: healthy },
    { what: `${what}, p99`, unit: 'ms', postern: healthy.p99, target: '≤ 150' },
    {
      what: 'median latency, provider black-holed against answering',
      unit: '×',
      postern: dark.p50 / healthy.p50,
      target: '≤ 1.05',
      detail: dark,
    },
  ];
  return measurements;
};

async function load(stack: Stack, count: number, prefix: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const latenciesMs: number[] = [];
  let next = 0;
  const client = async () => {
    while (next < count) {
      const index = next++;
      const started = performance.now();
      const status = await post(stack, agent, {
        name: `Customer ${index}`,
        email: `${prefix}${index}@example.com`,
        sendInvitation: true,
      });
      if (status !== 201) throw new Error(`POST /api/customers answered ${status}`);
      latenciesMs.push(performance.now() - started);
    }
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: clients }, client));
  const seconds = (performance.now() - started) / 1000;
  agent.destroy();
  return { seconds, latenciesMs };
}

/** As little work as possible: the load generator runs on the same processors. */
function post({ api: { url, key } }: Stack, agent: Agent, body: unknown): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const bytes = Buffer.from(JSON.stringify(body));
  const asked = request(
    `${url}/api/customers`,
    {
      agent,
      method: 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': 'application/json',
        'content-length': bytes.length,
      },
    },
    (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    },
  );
  asked.on('error', reject);
  asked.end(bytes);
  return promise;
}

/** What each process has spent so far, in seconds; nothing where the system has no /proc. */
async function processorSeconds(stack: Stack): Promise<Record<string, number>> {
  const ours = [stack.api, stack.relay, stack.worker].map(({ name, process: { pid } }) => ({ name, pid }));
  const entries = await Promise.all(
    ours.map(async ({ name, pid }) => [name, await secondsOf(pid)] as [string, number]),
  );
  const { user, system } = process.cpuUsage();
  return { ...Object.fromEntries(entries), loadAndProvider: (user + system) / 1e6 };
}

async function secondsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // proc(5): utime and stime are the 12th and 13th field behind the command's closing bracket, in hundredths.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / 100;
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Number((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1));
}
