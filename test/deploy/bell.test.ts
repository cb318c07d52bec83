import { expect, test } from 'vitest';
import { listenTo, ring } from '../../deploy/bell.ts';
import { openDatabase } from '../../deploy/database.ts';
import { freshDatabase } from '../kit/database.ts';
import { until } from '../kit/until.ts';

test('a bell is heard once its transaction is committed, by those who listen to it', async () => {
  await using test = await freshDatabase();
  await using database = openDatabase({ url: test.url, applicationName: 'bell-test' });
  const heard = { relay: 0, worker: 0 };
  await using _relay = listenTo('relay', database, () => void heard.relay++);
  await using _worker = listenTo('worker', database, () => void heard.worker++);
  // Whoever begins to listen may have missed one.
  await until(() => heard.relay === 1 && heard.worker === 1, { what: 'both to listen' });

  await database
    .transaction(async (tx) => {
      await ring(tx, 'worker');
      throw new Error('rolled back');
    })
    .catch(() => {});
  await ring(database, 'relay');
  await until(() => heard.relay === 2, { what: 'the bell' });
  expect(heard).toEqual({ relay: 2, worker: 1 });
});

test('after a lost connection it listens again, and takes it that somebody rang', async () => {
  await using test = await freshDatabase();
  await using database = openDatabase({ url: test.url, applicationName: 'bell-test' });
  let heard = 0;
  await using _ = listenTo('relay', database, () => void heard++);
  await until(() => heard === 1, { what: 'it to listen' });
  await test.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and query = 'listen "postern_relay"'`,
  );
  await until(() => heard === 2, { what: 'it to listen again' });
  await ring(database, 'relay');
  await until(() => heard === 3, { what: 'the bell' });
});
