import { once } from 'node:events';
import { expect, test } from 'vitest';
import { isUnavailable, openDatabase, uuidv7 } from '../../deploy/database.ts';
import { freshDatabase, ownPostgres } from '../kit/database.ts';
import { until } from '../kit/until.ts';

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

async function open(options: { max?: number; plansOnce?: boolean } = {}) {
  const fresh = await freshDatabase();
  const database = openDatabase({ url: fresh.url, applicationName: 'database-test', ...options });
  const resources = new AsyncDisposableStack();
  resources.use(fresh);
  resources.use(database);
  return { database, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

test('every byte from 0x00 to 0xFF survives, through prepared statements as well', async () => {
  await using opened = await open({ max: 1 });
  const { database } = opened;
  await database.query('create table body (id uuid primary key, bytes bytea)');
  const id = uuidv7();
  await database.query({ name: 'store', text: 'insert into body values ($1, $2)', values: [id, everyByte] });
  // Twice, because the second time the statement is already prepared.
  for (const name of ['read', 'read', undefined]) {
    const statement = { text: 'select bytes from body where id = $1', ...(name && { name }) };
    const { rows } = await database.query<{ bytes: Buffer }>(statement, [id]);
    expect(rows[0]?.bytes).toEqual(everyByte);
  }
});

test('numbers, instants and days arrive as what they are', async () => {
  await using opened = await open();
  const { rows } = await opened.database.query(
    `select 42::int8 as small, 9007199254740993::int8 as huge, '2026-02-28'::date as day,
            '2026-02-28T12:00:00+02:00'::timestamptz as instant`,
  );
  expect(rows).toEqual([
    { small: 42, huge: 9007199254740993n, day: '2026-02-28', instant: new Date('2026-02-28T10:00:00Z') },
  ]);
});

test('a transaction commits its result and rolls back what it throws', async () => {
  await using opened = await open();
  const { database } = opened;
  await database.query('create table note (text text)');
  const result = await database.transaction(async (tx) => {
    await tx.query("insert into note values ('kept')");
    return 'done';
  });
  const failing = database.transaction(async (tx) => {
    await tx.query("insert into note values ('lost')");
    throw new Error('changed our mind');
  });
  await expect(failing).rejects.toThrow('changed our mind');
  expect(result).toBe('done');
  expect((await database.query('select text from note')).rows).toEqual([{ text: 'kept' }]);
});

test('whoever has a transaction cannot ask for a second connection, and can again afterwards', async () => {
  await using opened = await open();
  const { database } = opened;
  const nested = [() => database.query('select 1'), () => database.transaction(async () => {})];
  for (const ask of nested) {
    await expect(database.transaction<unknown>(() => ask())).rejects.toThrow('Inside a transaction');
    await ask();
  }
  const asked = await database.transaction((tx) => tx.query('select 1'));
  expect(asked.rowCount).toBe(1);
});

test('a transaction whose failed statement was swallowed does not pass for committed', async () => {
  await using opened = await open();
  const swallowing = opened.database.transaction(async (tx) => {
    await tx.query('select 1 / 0').catch(() => {});
  });
  await expect(swallowing).rejects.toThrow('rolled back');
});

test('a statement that was planned while its table was empty does not scan it once it is full', async () => {
  await using fresh = await freshDatabase();
  await using database = openDatabase({ url: fresh.url, applicationName: 'test', max: 1 });
  await database.query('create table waiting (id integer primary key, note text)');
  await database.query('insert into waiting values (0)');
  await database.query('analyze waiting');
  const find = (ids: number[]) =>
    database.query({
      name: 'find',
      text: 'update waiting set note = wanted.id from unnest($1::integer[]) as wanted (id) where waiting.id = wanted.id',
      values: [ids],
    });
  // PostgreSQL settles for a plan after five executions.
  for (let times = 0; times < 6; times++) await find([1, 2]);
  await database.query('insert into waiting select generate_series(1, 10000)');
  expect((await find([1, 2])).rowCount).toBe(2);
  await database.query('select pg_stat_force_next_flush()');
  const { rows } = await database.query<{ rows: number }>(
    `select seq_tup_read as rows from pg_stat_all_tables where relname = 'waiting'`,
  );
  // The ANALYZE and the index read the one row that was there.
  expect(rows[0]?.rows).toBeLessThan(10_000);
});

test('a process whose plans depend on no value plans a statement once in a session', async () => {
  await using opened = await open({ max: 1, plansOnce: true });
  const { database } = opened;
  await database.query('create table line (place integer primary key)');
  // Of an array whose length it knows the planner expects less, so that by itself it would plan each time anew.
  const text = 'select place from line where place = any($1::integer[])';
  for (let times = 0; times < 10; times++) await database.query({ name: 'look', text, values: [[times]] });
  const { rows } = await database.query(
    `select generic_plans as once, custom_plans as anew from pg_prepared_statements where name = 'look'`,
  );
  expect(rows).toEqual([{ once: 10, anew: 0 }]);
});

test('commits are durable even where the database says otherwise', async () => {
  await using fresh = await freshDatabase();
  await fresh.query(`alter database ${fresh.name} set synchronous_commit = off`);
  await using database = openDatabase({ url: fresh.url, applicationName: 'database-test' });
  await using connection = await database.connect();
  for (const queryable of [database, connection]) {
    const { rows } = await queryable.query('show synchronous_commit');
    expect(rows).toEqual([{ synchronous_commit: 'on' }]);
  }
});

test('a connection of its own hears what is notified on its channel', async () => {
  await using opened = await open();
  const heard: string[] = [];
  await using connection = await opened.database.connect();
  await connection.listen('Wake-up', (payload) => heard.push(payload));
  await opened.database.query(`select pg_notify('other', 'no'), pg_notify('Wake-up', 'yes')`);
  await until(() => heard.length > 0);
  expect(heard).toEqual(['yes']);
});

test('a connection killed in the middle of a transaction is an outage to the caller and nothing to the process', async () => {
  await using opened = await open({ max: 1 });
  const { database } = opened;
  await using killer = await database.connect();
  const cutOff = database.transaction(async (tx) => {
    const { rows } = await tx.query<{ pid: number }>('select pg_backend_pid() as pid');
    await killer.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
    await tx.query('select 1');
  });
  expect(await cutOff.catch(isUnavailable)).toBe(true);
  expect((await database.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
});

test('a connection that dies between two statements of a transaction does not end the process', async () => {
  await using opened = await open({ max: 1 });
  const { database } = opened;
  await using killer = await database.connect();
  const connected = once(database.pool, 'connect');
  const cutOff = database.transaction(async (tx) => {
    const { rows } = await tx.query<{ pid: number }>('select pg_backend_pid() as pid');
    const [client] = await connected;
    // Not events.once: it would listen for the error, which is what must not be needed.
    const lost = new Promise((resolve) => client.once('end', resolve));
    await killer.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
    await lost;
    await tx.query('select 1');
  });
  expect(await cutOff.catch(isUnavailable)).toBe(true);
});

test('while PostgreSQL is unavailable every query says so, and the pool recovers by itself', async () => {
  await using postgres = await ownPostgres();
  await using database = openDatabase({ url: postgres.url, applicationName: 'database-test' });
  await using connection = await database.connect();
  await database.query('select 1');

  await postgres.stop('immediate');
  expect(await database.query('select 1').catch(isUnavailable)).toBe(true);
  expect(await database.transaction(async () => {}).catch(isUnavailable)).toBe(true);
  expect(await database.connect().catch(isUnavailable)).toBe(true);
  expect(isUnavailable(await connection.ended)).toBe(true);

  await postgres.start();
  const { rows } = await until(() => database.query('select 1 as one'));
  expect(rows).toEqual([{ one: 1 }]);
});

test.each([
  ['a mistake in SQL', { code: '42601' }, false],
  ['a duplicate', { code: '23505' }, false],
  ['a full disk', { code: '53100' }, true],
  ['no connection slot left', { code: '53300' }, true],
  ['a statement that took too long', { code: '57014' }, true],
  ['a replica after a failover', { code: '25006' }, true],
  ['no route to the host', { code: 'EHOSTUNREACH' }, true],
])('%s: unavailable is %3$s', (_, properties, expected) => {
  expect(isUnavailable(Object.assign(new Error('x'), properties))).toBe(expected);
});

test('an error that holds one refusal for each address is an outage', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED ::1:5432'), { code: 'ECONNREFUSED' });
  expect(isUnavailable(new AggregateError([refused]))).toBe(true);
  expect(isUnavailable(new Error('wrapped', { cause: refused }))).toBe(true);
  expect(isUnavailable('ECONNREFUSED')).toBe(false);
});

test('ids are UUIDs of version 7 that never go backwards', () => {
  const instant = new Date('2100-01-01T00:00:00.123Z');
  // More than the counter of one millisecond can hold, and then a clock that was set back.
  const ids = [...Array.from({ length: 10_000 }, () => uuidv7(instant)), uuidv7(new Date('2026-01-01'))];
  expect(ids[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(Number.parseInt((ids[0] ?? '').replaceAll('-', '').slice(0, 12), 16)).toBe(instant.getTime());
  expect(ids).toEqual([...ids].sort());
  expect(new Set(ids).size).toBe(ids.length);
});
