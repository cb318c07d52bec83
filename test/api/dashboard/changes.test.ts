// What an open page of the dashboard hears of: mail that is accepted and sent leaves no rows in the timeline.
import { expect, test } from 'vitest';
import { openChangeReader } from '../../../api/dashboard/changes.ts';
import { openDatabase } from '../../../deploy/database.ts';
import { newQueueId } from '../../../relay/client/queue-id.ts';
import { freshDatabase } from '../../kit/database.ts';

test('mail that comes in, comes to an end, or has a new row in its timeline is told once', async () => {
  await using fresh = await freshDatabase();
  await using database = openDatabase({ url: fresh.url, applicationName: 'changes-test', max: 1 });
  const accept = async (): Promise<string> => {
    const queueId = newQueueId();
    await fresh.query(
      `with m as (
         insert into message (queue_id, credential, sender, header_from, message_id, size, priority, submitted)
         values ($1, 'shop', 'ann@example.com', 'ann@example.com', '', 10, 1, '{}') returning queue_id)
       insert into recipient (queue_id, ordinal, address, status, priority, next_attempt_at)
       select queue_id, 0, 'bob@example.net', 'queued', 1, now() from m`,
      [queueId],
    );
    return queueId;
  };
  const before = await accept();
  const changes = openChangeReader(database);
  expect(await changes.next()).toEqual([]);
  expect(await changes.next()).toEqual([]);

  const queueId = await accept();
  expect(await changes.next()).toEqual([queueId]);
  expect(await changes.next()).toEqual([]);

  await fresh.query(
    `update recipient set status = 'sent', next_attempt_at = null, finished_at = now(), sent_by = '{}'
     where queue_id = $1`,
    [queueId],
  );
  expect(await changes.next()).toEqual([queueId]);
  expect(await changes.next()).toEqual([]);

  await fresh.query(`insert into event (type, queue_id) values ('deferred', $1)`, [before]);
  expect(await changes.next()).toEqual([before]);
  expect(await changes.next()).toEqual([]);
});
