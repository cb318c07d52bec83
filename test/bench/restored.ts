// A relay that starts on a restored database in which a million mails wait: how long until it takes mail, until new
// mail leaves, and until all that waited is held.
import { createTemplate, freshDatabase } from '../kit/database.ts';
import { startPostgres } from '../kit/postgres.ts';
import { startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';
import { fillBacklog } from '../relay/delivery/backlog.ts';
import { queueMail, settled } from '../relay/delivery/way-out.ts';
import type { Benchmark, Measurement } from './measurement.ts';

const waiting = 1_000_000;

export const restored: Benchmark = async (say) => {
  await using server = await startPostgres({ kind: 'embedded' });
  await using database = await freshDatabase(await createTemplate(server.url));
  await fillBacklog(database, waiting);
  await database.query("insert into database_identity values (true, '1', 1)");
  say(`${waiting} mails wait`);

  await using stack = await startStack({ database, processes: [], provider: { keepBytes: 0 } });
  const began = performance.now();
  const since = () => (performance.now() - began) / 1_000;
  await stack.relay.start();
  const ready = since();
  say(`ready after ${ready.toFixed(1)} s`);
  const { queueId } = await queueMail(database.query);
  const queued = since();
  await settled(database.query, queueId, ['sent']);
  const sent = since() - queued;
  say(`new mail is sent after ${sent.toFixed(1)} s`);
  await until(() => stack.relay.output.includes('restored-held'), {
    what: 'all of it to be held',
    timeoutMs: 1_200_000,
  });
  const held = since();
  say(`all of it is held after ${held.toFixed(0)} s`);
  const left = await database.query("select from recipient where status = 'queued' limit 1");
  if (left.rowCount !== 0 || stack.provider.messages.length !== 1) throw new Error('restored mail has left');
  return [
    {
      what: 'relay on a restored database with 1,000,000 waiting mails, to ready',
      postern: ready,
      target: '≤ 10 s',
    },
    { what: 'new mail meanwhile, to the provider', postern: sent, target: 'reported' },
    { what: 'all 1,000,000 held', postern: held, target: 'reported' },
  ].map((measured): Measurement => ({ unit: 's', ...measured }));
};
