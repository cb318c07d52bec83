// How long one mail takes from our 250 to the provider's, when there is nothing else to do: over TLS, signed in, with
// the dot mark committed on the way. The provider runs in this process, so that both ends share one clock.
import { createTemplate } from '../kit/database.ts';
import { startPostgres } from '../kit/postgres.ts';
import { startStack } from '../kit/stack.ts';
import { connect } from '../kit/transcript.ts';
import type { Benchmark } from './measurement.ts';
import { percentile } from './percentile.ts';

const warmUp = 20;
const mails = 500;

export const latency: Benchmark = async (say) => {
  await using server = await startPostgres({ kind: 'embedded' });
  await using stack = await startStack({
    template: await createTemplate(server.url),
    processes: ['relay'],
    provider: { keepBytes: 0 },
    relay: { LOG_LEVEL: 'info', RELAY_TRUSTED_NETWORKS: '127.0.0.0/8' },
  });
  const { provider, relay } = stack;
  let arrived = Promise.withResolvers<number>();
  provider.on('dot', () => {
    arrived.resolve(performance.now());
    return undefined;
  });

  await using client = await connect(relay.port);
  await client.expect('220 *');
  await client.send('EHLO bench.example.com').expect('250 *');
  const milliseconds: number[] = [];
  for (let n = 0; n < warmUp + mails; n++) {
    arrived = Promise.withResolvers();
    await client.send(`MAIL FROM:<${provider.user}>`).expect('250 *');
    await client.send('RCPT TO:<bob@example.net>').expect('250 *');
    await client.send('DATA').expect('354 *');
    await client.send(`From: ${provider.user}\r\nSubject: ${n}\r\n\r\nHello.\r\n.`).expect('250 *');
    const accepted = performance.now();
    // It may have arrived before we have read our own 250.
    milliseconds.push(Math.max(0, (await arrived.promise) - accepted));
  }
  const measured = milliseconds.slice(warmUp);
  const [p50, p99] = [percentile(measured, 0.5), percentile(measured, 0.99)];
  say(`p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`);
  return [
    {
      what: 'hand-over to the provider’s 250, idle system, p99',
      unit: 'ms',
      postern: p99,
      target: '≤ 30 ms',
      detail: { p50, mails },
    },
  ];
};
