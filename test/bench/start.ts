// From the start of a process to its readiness, on a database that is migrated: how long a restart leaves a gap.
import { createTemplate } from '../kit/database.ts';
import { startPostgres } from '../kit/postgres.ts';
import { startStack } from '../kit/stack.ts';
import { type Benchmark, type Measurement, median } from './measurement.ts';

const rounds = 5;

export const start: Benchmark = async (say) => {
  await using server = await startPostgres({ kind: 'embedded' });
  await using stack = await startStack({
    template: await createTemplate(server.url),
    processes: [],
    provider: { keepBytes: 0 },
  });
  const measurements: Measurement[] = [];
  for (const slot of [stack.relay, stack.worker, stack.api]) {
    const seconds: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const began = performance.now();
      const started = await slot.start();
      seconds.push((performance.now() - began) / 1_000);
      await started.stop();
    }
    say(`${slot.name}: ${seconds.map((each) => each.toFixed(2)).join(' s, ')} s`);
    measurements.push({
      what: `start of ${slot.name} to ready`,
      unit: 's',
      postern: median(seconds),
      target: '≤ 0.5 s',
      detail: { seconds },
    });
  }
  return measurements;
};
