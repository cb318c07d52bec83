// A host that drops every packet to 465, as clouds do: how long the first mail takes to leave over 587, and the next.
import { createTemplate } from '../kit/database.ts';
import { startPostgres } from '../kit/postgres.ts';
import { startStack } from '../kit/stack.ts';
import { blackHole } from '../kit/strangers.ts';
import { connect } from '../kit/transcript.ts';
import { until } from '../kit/until.ts';
import type { Benchmark } from './measurement.ts';

const later = 20;

export const failover: Benchmark = async (say) => {
  await using server = await startPostgres({ kind: 'embedded' });
  await using hole = await blackHole();
  await using stack = await startStack({
    template: await createTemplate(server.url),
    processes: ['relay'],
    provider: { keepBytes: 0 },
    relay: { LOG_LEVEL: 'info', RELAY_TRUSTED_NETWORKS: '127.0.0.0/8', SMTP_PORT: String(hole.port) },
  });
  const { provider, relay } = stack;
  await using client = await connect(relay.port);
  await client.expect('220 *');
  await client.send('EHLO bench.example.com').expect('250 *');

  /** Seconds from our 250 to the provider's. */
  const send = async (n: number): Promise<number> => {
    await client.send(`MAIL FROM:<${provider.user}>`).expect('250 *');
    await client.send('RCPT TO:<bob@example.net>').expect('250 *');
    await client.send('DATA').expect('354 *');
    await client.send(`From: ${provider.user}\r\nSubject: ${n}\r\n\r\nHello.\r\n.`).expect('250 *');
    const accepted = performance.now();
    await until(() => provider.messages.length > n, { timeoutMs: 60_000, what: 'the mail to leave' });
    return (performance.now() - accepted) / 1_000;
  };
  const first = await send(0);
  const next: number[] = [];
  for (let n = 1; n <= later; n++) next.push(await send(n));
  const slowest = Math.max(...next);
  say(`first mail ${first.toFixed(2)} s, later ones at most ${slowest.toFixed(3)} s`);
  return [
    { what: '465 silently dropped: first mail out over 587', unit: 's', postern: first, target: '≤ 6 s' },
    { what: `the next ${later}, the slowest of them`, unit: 's', postern: slowest, target: 'at once' },
  ];
};
