import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { freshDatabase, ownPostgres } from './database.ts';
import { until } from './until.ts';

const tables = "select from pg_tables where tablename = 'trace'";

test('what one test writes another does not see', async () => {
  await using first = await freshDatabase();
  await using second = await freshDatabase();
  await first.query('create table trace (of text)');
  expect((await first.query(tables)).rowCount).toBe(1);
  expect((await second.query(tables)).rowCount).toBe(0);
});

test('every migration has been applied', async () => {
  await using database = await freshDatabase();
  const files = readdirSync(new URL('../../deploy/migrations', import.meta.url)).filter((name) =>
    name.endsWith('.sql'),
  );
  const applied = await database.query('select from postern_migration');
  expect(applied.rowCount).toBe(files.length);
  expect(applied.rowCount).toBeGreaterThan(0);
});

test('the database is gone once the test is over', async () => {
  const database = await freshDatabase();
  await using witness = await freshDatabase();
  await database.query('select 1');
  await database.stop();
  const found = await witness.query('select from pg_database where datname = $1', [database.name]);
  expect(found.rowCount).toBe(0);
});

test('commits are synchronous, as every promise of Postern requires', async () => {
  await using database = await freshDatabase();
  expect((await database.query('show synchronous_commit')).rows).toEqual([{ synchronous_commit: 'on' }]);
});

test('a server of one’s own keeps what was committed through a stop and a kill', async () => {
  await using postgres = await ownPostgres();
  await postgres.query('create table trace (of text)');
  for (const [trace, end] of [
    ['fast', () => postgres.stop('fast')],
    ['immediate', () => postgres.stop('immediate')],
    ['kill', () => postgres.kill()],
  ] as const) {
    await postgres.query('insert into trace values ($1)', [trace]);
    await end();
    await expect(postgres.query('select 1')).rejects.toThrow();
    await postgres.start();
    await until(() => postgres.query('select 1'), { what: 'PostgreSQL to answer again' });
  }
  expect((await postgres.query('select of from trace')).rows.map((row) => row.of)).toEqual([
    'fast',
    'immediate',
    'kill',
  ]);
});
