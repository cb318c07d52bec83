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

test('two bad test mails in a row are told, one is not, and one that never left is no bad one', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'measures-test', max: 2 });
  const metrics = openMetrics('relay', openLog('relay', 'silent'));
  measureQueue(metrics, database, () => undefined);
  const bad = async () =>
    Object.fromEntries(
      [...(await metrics.text()).matchAll(/^postern_canary_bad\{domain="(\w+)"[^}]*\} (\d)$/gm)].map(
        ([, domain, value]) => [domain, Number(value)],
      ),
    );
  const write = async (
    domain: string,
    queueId: string,
    hours: number,
    result: string | null,
    isJunk: boolean,
  ) =>
    given.query(
      `insert into canary (token, domain, sender, recipient, queue_id, queued_at, returned_at, is_junk, result)
       values ($1 || random(), $1, 'a@example.com', 'a@example.com', $2, now() - make_interval(hours => $3),
         case when $4::text is not null then now() end, $5, $4)`,
      [domain, queueId, hours, result, isJunk],
    );
  const { queueId: sent } = await queueMail(given.query);
  await given.query(`update recipient set status = 'sent', finished_at = now(), next_attempt_at = null`);
  const { queueId: waiting } = await queueMail(given.query);
  await write('good', sent, 48, 'fail', true);
  await write('good', sent, 24, 'fail', false);
  await write('good', sent, 1, 'warn', false);
  await write('junk', sent, 24, 'warn', true);
  await write('junk', sent, 1, 'fail', false);
  await write('lost', sent, 24, null, false);
  await write('lost', sent, 1, null, false);
  await write('unsent', waiting, 24, null, false);
  await write('unsent', waiting, 1, null, false);
  await write('young', sent, 24, 'fail', false);
  await write('young', sent, 0, null, false);
  expect(await bad()).toEqual({ good: 0, junk: 1, lost: 1, unsent: 0 });
});
