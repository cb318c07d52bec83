// The relay plans its statements once in a session, and mostly while its queue is empty. A plan that suits an empty queue
// must suit a full one.
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { openDatabase } from '../../../deploy/database.ts';
import { openLog } from '../../../deploy/log.ts';
import { newQueueId } from '../../../relay/client/queue-id.ts';
import { claimDueMail } from '../../../relay/delivery/queue/claim.ts';
import { openMarks } from '../../../relay/delivery/queue/marks.ts';
import { openResults } from '../../../relay/delivery/queue/results.ts';
import { commitGroup } from '../../../relay/submission/commit-group.ts';
import { freshDatabase } from '../../kit/database.ts';
import { offer, submission } from '../submission/offered.ts';

const waiting = 3_000;
/** Index entries of recipients that one statement about a single mail may look at. */
const few = 50;

test('what was planned while nothing waited does not walk over all that waits', async () => {
  await using given = await freshDatabase();
  // New statistics would be a reason to plan anew.
  await given.query('alter table recipient set (autovacuum_enabled = off)');
  await using database = openDatabase({
    url: given.url,
    applicationName: 'test',
    max: 1,
    plansOnce: true,
  });
  const results = openResults(database, openLog('relay', 'silent'), () => {});
  const look = async () => {
    await database.query('select pg_stat_force_next_flush()');
    const { rows } = await given.query<{ read: number }>(
      "select sum(idx_tup_read)::integer as read from pg_stat_user_indexes where relname = 'recipient'",
    );
    return rows[0]?.read ?? Number.NaN;
  };
  const readBy = async (work: () => Promise<unknown>) => {
    const before = await look();
    await work();
    return (await look()) - before;
  };
  /** One mail from its acceptance to its result, each statement on its own. */
  const pass = async () => {
    const mail = submission({ queueId: newQueueId() });
    const accepting = await readBy(() => commitGroup(database, [mail], offer()));
    const claimed: Awaited<ReturnType<typeof claimDueMail>> = [];
    const claiming = await readBy(async () =>
      claimed.push(...(await claimDueMail(database, { instance: randomUUID(), leaseMs: 60_000, limit: 5 }))),
    );
    const ofClaimed = claimed.slice(0, 1).map(({ queueId, token }) => ({ queueId, token }));
    const [first = { queueId: mail.queueId, token: randomUUID() }] = ofClaimed;
    const marking = await readBy(() => openMarks(database).mark({ ...first, ordinals: [0] }));
    const sent = { emailId: null, ordinal: 0, markedAt: null, resends: 0, status: 'sent' } as const;
    const storing = await readBy(() => results.store({ changes: [{ ...first, ...sent }], entries: [] }));
    return { claimed: claimed.length, read: { accepting, claiming, marking, storing } };
  };

  expect(await pass()).toMatchObject({ claimed: 0 });
  await given.query(
    `insert into message (queue_id, credential, sender, header_from, message_id, size, priority)
     select 'W' || n, 'app', 'ann@example.com', 'ann@example.com', '<' || n || '@example.com>', 5, 1
     from generate_series(1, $1) n`,
    [waiting],
  );
  await given.query(
    `insert into recipient (queue_id, ordinal, address, status, priority, next_attempt_at)
     select 'W' || n, 0, 'bob@example.net', 'queued', 1, now() - interval '1 hour' from generate_series(1, $1) n`,
    [waiting],
  );
  const { claimed, read } = await pass();
  expect(claimed).toBe(5);
  const most = Math.max(...Object.values(read));
  expect(most, JSON.stringify(read)).toBeGreaterThan(0);
  expect(most, JSON.stringify(read)).toBeLessThan(few);
});
