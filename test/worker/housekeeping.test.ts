import { expect, test } from 'vitest';
import { readEmail } from '../../relay/client/email/row.ts';
import { batchSize, partsBatch } from '../../relay/client/erasure/retention.ts';
import { beat } from '../../relay/client/status/heartbeat.ts';
import { openHousekeeping, releaseOnceConfigured } from '../../worker/housekeeping.ts';
import {
  acceptAs,
  insert,
  silentLog as log,
  startPostern,
  type TestPostern,
} from '../relay/client/postern.ts';

const day = 86_400;
const retention = { bodySeconds: 7 * day, rowsSeconds: 90 * day };

const tick = ({ database }: TestPostern) =>
  openHousekeeping(database, { retention, log, signal: AbortSignal.timeout(30_000) })();

const countOf = async ({ db }: TestPostern, table: string) =>
  Number((await db.query<{ n: string }>(`select count(*) as n from ${table}`)).rows[0]?.n);

test('one tick erases, forgets and leaves alone what each time says, and another finds nothing to do', async () => {
  await using postern = await startPostern();
  const finished: Record<number, string> = {};
  for (const days of [1, 8, 91]) {
    const { id } = await insert(postern.database);
    await acceptAs(postern, id, [{ status: 'sent', marked: true }]);
    await postern.db.query('update email set finished_at = now() - make_interval(days => $2) where id = $1', [
      id,
      days,
    ]);
    finished[days] = id;
  }
  await postern.db.query(
    `insert into idempotency_key (principal, method, path, key, fingerprint, status, keep_until)
     select 'a', 'POST', '/', n::text, '', 200, now() + make_interval(days => n) from generate_series(-2, 2) n`,
  );
  await postern.db.query(
    `with c as (
       insert into customer (id, name, email) values (gen_random_uuid(), 'Acme', 'acme@example.com') returning id
     ), o as (
       insert into owner (id, customer_id, name, email)
       select gen_random_uuid(), id, 'Ann', 'ann@example.com' from c returning id
     )
     insert into invitation (id, owner_id, token_hash, email_id, expires_at, revoked_at)
     select gen_random_uuid(), o.id, sha256(days::text::bytea), gen_random_uuid(),
            now() - make_interval(days => days), now()
     from o, unnest(array[1, 91]) days`,
  );

  for (let i = 0; i < 2; i++) {
    await tick(postern);
    expect(await readEmail(postern.database, finished[1] ?? '')).toMatchObject({ text: 'Hello Ann' });
    expect(await readEmail(postern.database, finished[8] ?? '')).toMatchObject({
      text: null,
      status: 'sent',
    });
    expect(await readEmail(postern.database, finished[91] ?? '')).toBeUndefined();
    expect(await countOf(postern, 'idempotency_key')).toBe(2);
    expect(await countOf(postern, 'invitation')).toBe(1);
  }
});

test('what has to stay keeps no tick from what is behind it, however much it is', async () => {
  await using postern = await startPostern();
  const waiting = 20 * batchSize;
  // Of each of them one recipient is finished and another is not.
  await postern.db.query(
    `insert into message (queue_id, credential, sender, header_from, message_id, size, priority, received_at)
     select id, 'app', '', '', '', 1, 1, now() - interval '92 days'
     from (select 'A' || n from generate_series(1, $1) n union all select 'B') m (id)`,
    [waiting],
  );
  await postern.db.query(
    `insert into recipient (queue_id, ordinal, address, status, priority, reason, finished_at)
     select queue_id, ordinal, '', status::mail_status, 1, reason, now() - ago
     from message cross join (values (0, 'sent', null, interval '91 days'), (1, 'held', 'sender-refused', null))
       as of_each (ordinal, status, reason, ago)
     where queue_id <> 'B'
     union all select 'B', 0, '', 'sent', 1, null, now() - interval '90 days 1 minute'`,
  );
  await postern.db.query(
    `insert into message_part (queue_id, part, content) select case n when 0 then 'B' else 'A1' end, n, ''
     from generate_series(0, $1) n`,
    [20 * partsBatch],
  );
  await postern.db.query(
    `insert into message_part (queue_id, part, content, stored_at) values ('C', 0, '', now() - interval '2 hours')`,
  );
  const runHousekeeping = openHousekeeping(postern.database, {
    retention,
    log,
    signal: AbortSignal.timeout(30_000),
  });
  const left = async () =>
    (
      await postern.db.query(
        `select (select count(*)::integer from message) as messages, queue_id from message_part
         where queue_id <> 'A1' order by queue_id`,
      )
    ).rows;
  await runHousekeeping();
  expect(await left()).toEqual(['B', 'C'].map((queue_id) => ({ messages: waiting + 1, queue_id })));
  await runHousekeeping();
  expect(await left()).toEqual([]);
  expect(await countOf(postern, 'message')).toBe(waiting);
});

test('ticks at the same time do each thing once', async () => {
  await using postern = await startPostern();
  for (let i = 0; i < 20; i++) {
    const { id } = await insert(postern.database);
    await acceptAs(postern, id, [{ status: 'sent', marked: true }]);
  }
  await postern.db.query(`update email set finished_at = now() - interval '91 days'`);
  await Promise.all(Array.from({ length: 4 }, () => tick(postern)));
  expect(await countOf(postern, 'email')).toBe(0);
});

test('mail without a sender takes ours, or else the relay’s, as soon as there is one', async () => {
  await using postern = await startPostern();
  const { id: first } = await insert(postern.database, { from: undefined });
  expect(await releaseOnceConfigured(postern.database, undefined)).toBe(0);

  const report = { configured: true, from: 'relay@example.com', from_name: 'Relay' };
  await beat(postern.database, {
    instance: '01900000-0000-7000-8000-000000000001',
    process: 'relay',
    report,
  });
  expect(await releaseOnceConfigured(postern.database, undefined)).toBe(1);
  expect(await readEmail(postern.database, first)).toMatchObject({
    from: { address: 'relay@example.com', name: 'Relay' },
  });

  const { id: second } = await insert(postern.database, { from: undefined });
  expect(await releaseOnceConfigured(postern.database, { address: 'ours@example.com' })).toBe(1);
  expect(await readEmail(postern.database, second)).toMatchObject({ from: { address: 'ours@example.com' } });
});
