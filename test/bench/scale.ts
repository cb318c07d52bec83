// How throughput grows with more relays on one database, and what limits it: the CPU of the relays, of PostgreSQL, of
// the provider, of the sender and whatever else runs, or none of them (then it is a relay's own single thread, or
// waiting for the disk). Everything shares one machine here; so the curve ends where the machine does.
import { cpus } from 'node:os';
import { createTemplate, freshDatabase } from '../kit/database.ts';
import { startPostgres } from '../kit/postgres.ts';
import { startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';
import { type Benchmark, type Measurement, median } from './measurement.ts';
import { measureSource, whyNoPostfix } from './postfix.ts';
import { cpuMsOf, postmasterOf } from './processes.ts';
import { startCountingSink, towards } from './sink.ts';

const counts = [1, 2, 4];
const rounds = 3;
const sessions = 48;
const messages = 6_000;
const warmUp = 1_000;
/** Of all relays together: what the provider takes does not grow with them. */
const connections = 20;

type Parts = Readonly<Record<'relays' | 'PostgreSQL' | 'provider' | 'sender and others' | 'idle', number>>;
type Round = { readonly rate: number; readonly share: Parts };

export const scale: Benchmark = async (say) => {
  const absent = await whyNoPostfix();
  if (absent) throw new Error(`smtp-source, which sends the mail, comes with Postfix: ${absent}`);
  await using server = await startPostgres({ kind: 'embedded' });
  const template = await createTemplate(server.url);
  const measurements: Measurement[] = [];
  for (const relays of counts) {
    await using database = await freshDatabase(template);
    await using sink = await startCountingSink();
    await using stack = await startStack({
      ...{ database, relays, processes: ['relay'], provider: false },
      relay: { ...towards(sink), SMTP_MAX_CONNECTIONS: String(connections) },
    });
    const postmaster = await postmasterOf(database);
    const spent = () => ({
      relays: stack.relays.reduce((sum, { process: { pid } }) => sum + cpuMsOf(pid), 0),
      PostgreSQL: cpuMsOf(postmaster),
      provider: cpuMsOf(sink.pid),
      ...machineMs(),
    });
    const ports = stack.relays.map(({ port }) => port);
    const pass = async (count: number) => {
      const before = sink.taken;
      await send(ports, count);
      await until(() => sink.taken >= before + count, { timeoutMs: 300_000, what: 'everything to arrive' });
    };
    await pass(warmUp);
    const seen: Round[] = [];
    for (let round = 0; round < rounds; round++) {
      const before = spent();
      const began = performance.now();
      await pass(messages);
      seen.push({
        rate: messages / ((performance.now() - began) / 1_000),
        share: shareOf(before, spent()),
      });
    }
    const measured = measurementOf(relays, seen);
    say(`${measured.what}: ${measured.postern.toFixed(0)}/s`);
    measurements.push(measured);
  }
  return measurements;
};

async function send(ports: readonly number[], count: number): Promise<void> {
  const wishes = { messages: count / ports.length, sessions: sessions / ports.length, reuse: true };
  await Promise.all(ports.map((port) => measureSource({ port, ...wishes })));
}

type Spent = Readonly<Record<'relays' | 'PostgreSQL' | 'provider' | 'total' | 'idle', number>>;

/** Since the machine started, of all its processors. */
function machineMs(): { total: number; idle: number } {
  const times = cpus().map((each) => each.times);
  const idle = times.reduce((sum, each) => sum + each.idle, 0);
  return {
    idle,
    total: times.reduce((sum, { user, nice, sys, irq }) => sum + user + nice + sys + irq, idle),
  };
}

/** Of all CPU time that passed on this machine, from 0 to 1. */
function shareOf(before: Spent, after: Spent): Parts {
  const total = after.total - before.total;
  const of = (part: keyof Spent) => (after[part] - before[part]) / total;
  const known = { relays: of('relays'), PostgreSQL: of('PostgreSQL'), provider: of('provider') };
  const idle = of('idle');
  const rest = 1 - idle - known.relays - known.PostgreSQL - known.provider;
  return { ...known, 'sender and others': Math.max(0, rest), idle };
}

function measurementOf(relays: number, seen: readonly Round[]): Measurement {
  const middle = (part: keyof Parts) => median(seen.map(({ share }) => share[part]));
  const parts = (['relays', 'PostgreSQL', 'provider', 'sender and others', 'idle'] as const).map(
    (part) => [part, middle(part)] as const,
  );
  const processors = cpus().length;
  const words = parts.map(([part, share]) => `${part} ${Math.round(share * 100)} %`).join(', ');
  return {
    what: `${relays} ${relays === 1 ? 'relay' : 'relays'}, ${connections} connections; ${limitOf(Object.fromEntries(parts) as Parts, relays)}. Of ${processors} processors: ${words}`,
    unit: 'messages/s',
    postern: median(seen.map(({ rate }) => rate)),
    target: 'grows until the database is the limit',
    detail: { rounds: seen, processors, bytes: 4_096 },
  };
}

/** What there was none left of. */
function limitOf(share: Parts, relays: number): string {
  const processors = cpus().length;
  if (share.idle < 0.1) {
    const [most] = (['relays', 'PostgreSQL', 'provider', 'sender and others'] as const).toSorted(
      (a, b) => share[b] - share[a],
    );
    return `the machine is the limit, most of it is ${most}`;
  }
  if (share.relays * processors > 0.9 * relays) return 'the thread of each relay is the limit';
  return 'no processor is the limit: it waits for the disk or for replies';
}
