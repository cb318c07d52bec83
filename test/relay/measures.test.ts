// What the relay tells Prometheus of its queue.
import { expect, test } from 'vitest';
import { openDatabase } from '../../deploy/database.ts';
import { openLog } from '../../deploy/log.ts';
import { openMetrics } from '../../deploy/metrics.ts';
import { writeNotices } from '../../relay/delivery/notices/write.ts';
import { measureQueue } from '../../relay/measures.ts';
import { freshDatabase } from '../kit/database.ts';
import { queueMail } from './delivery/way-out.ts';

test('a notice that cannot be written is as old as since it was due at first, not as since the last try', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'measures-test', max: 2 });
  const metrics = openMetrics('relay', openLog('relay', 'silent'));
  measureQueue(metrics, database, () => undefined);
  const oldest = async () =>
    Number(/^postern_notice_oldest_seconds\S* (\S+)$/m.exec(await metrics.text())?.[1]);
  expect(await oldest()).toBe(0);

  const { queueId } = await queueMail(given.query);
  await given.query(
    `insert into notice_owed (queue_id, ordinal, action, due_at)
     values ($1, 0, 'failed', now() - interval '20 minutes'), ($1, 0, 'delayed', now() + interval '4 hours')`,
    [queueId],
  );
  expect(await oldest()).toBeGreaterThanOrEqual(1_200);
  const transaction = () => Promise.reject(new Error('it cannot be written'));
  for (let tries = 0; tries < 2; tries++) {
    const failed: string[] = [];
    const sender = { from: { email: 'postern@example.com' }, remoteMta: null };
    await writeNotices({ ...database, transaction }, sender, (_, of) => failed.push(of));
    expect(failed).toEqual([queueId]);
    expect(await oldest()).toBeGreaterThanOrEqual(1_200);
    // As if a minute had passed.
    await given.query("update notice_owed set due_at = now() where action = 'failed'");
  }
});
