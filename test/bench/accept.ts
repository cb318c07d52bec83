// How fast mail becomes ours: from the first octet to the 250 that says it is committed. The same sender, messages and
// sessions against Postfix; on both sides nothing is delivered meanwhile, so that only accepting is measured.
import { createTemplate, freshDatabase } from '../kit/database.ts';
import { startPostgres } from '../kit/postgres.ts';
import { startStack } from '../kit/stack.ts';
import { type Benchmark, type Measurement, median } from './measurement.ts';
import { measureSource, startPostfix, whyNoPostfix } from './postfix.ts';

const rounds = 3;
const sessions = 50;

export const accept: Benchmark = async (say) => {
  const absent = await whyNoPostfix();
  if (absent) throw new Error(`smtp-source, which sends the mail, comes with Postfix: ${absent}`);

  await using server = await startPostgres({ kind: 'embedded' });
  const template = await createTemplate(server.url);
  await using database = await freshDatabase(template);
  await using stack = await startStack({
    database,
    processes: ['relay'],
    provider: false,
    relay: { RELAY_TRUSTED_NETWORKS: '127.0.0.0/8', LOG_LEVEL: 'info' },
  });
  await using postfix = await startPostfix();

  const kinds = [
    {
      what: `durable accept, ${sessions} reused sessions`,
      reuse: true,
      target: '≥ 3 × Postfix',
      messages: { postern: 15_000, postfix: 4_000 },
    },
    {
      what: `durable accept, one connection per message, ${sessions} at once`,
      reuse: false,
      target: '≥ 1 × Postfix',
      messages: { postern: 6_000, postfix: 3_000 },
    },
  ];
  const measurements: Measurement[] = [];
  for (const { what, reuse, target, messages } of kinds) {
    const rates = { postern: [] as number[], postfix: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      rates.postfix.push(
        await measureSource({ port: postfix.port, messages: messages.postfix, sessions, reuse }),
      );
      rates.postern.push(
        await measureSource({ port: stack.relay.port, messages: messages.postern, sessions, reuse }),
      );
      say(`${what}: ${rates.postern.at(-1)?.toFixed(0)}/s, Postfix ${rates.postfix.at(-1)?.toFixed(0)}/s`);
    }
    measurements.push({
      what,
      unit: 'messages/s',
      postern: median(rates.postern),
      postfix: median(rates.postfix),
      target,
      detail: { rounds: rates, bytes: 4_096 },
    });
  }

  const expected = rounds * kinds.reduce((sum, { messages }) => sum + messages.postern, 0);
  const { rows } = await database.query<{ n: string }>('select count(*) as n from message');
  if (Number(rows[0]?.n) !== expected) throw new Error(`${expected} acknowledged, ${rows[0]?.n} there`);
  return measurements;
};
