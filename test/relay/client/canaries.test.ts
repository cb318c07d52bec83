import { expect, test } from 'vitest';
import { openDatabase } from '../../../deploy/database.ts';
import { askCanary, takeCanary } from '../../../relay/client/status/canaries.ts';
import { freshDatabase } from '../../kit/database.ts';
import { until } from '../../kit/until.ts';

test('a mail to oneself that somebody asks for is taken also while the domain is being looked at', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test' });
  await using watch = openDatabase({ url: given.url, applicationName: 'test', max: 1 });
  await given.query(`insert into sender_domain (domain, named_at) values ('example.com', now())`);
  await askCanary(database, 'example.com');
  const isWaiting = async () =>
    (
      await given.query(
        `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
      )
    ).rowCount === 1;
  let taken: Promise<string | undefined> | undefined;
  await watch.transaction(async (tx) => {
    await tx.query(`update sender_domain set next_check_at = now() where domain = 'example.com'`);
    taken = database.transaction(takeCanary);
    await Promise.race([taken, until(isWaiting, { what: 'whoever takes it to wait' })]);
  });
  expect(await taken).toBe('example.com');
  expect(await database.transaction(takeCanary)).toBeUndefined();
});
