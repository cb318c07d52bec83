// One AUTH at a time, cluster-wide, without waiting for the dead.
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { openDatabase } from '../../../deploy/database.ts';
import { announceLanes } from '../../../relay/lane-state/lanes.ts';
import { keepAuth, leaveAuth, takeAuth } from '../../../relay/lane-state/sign-in.ts';
import { freshDatabase } from '../../kit/database.ts';
import { until } from '../../kit/until.ts';

const key = 'SMTP mail.example.com app@example.com 1a2b';
const asking = { isProbe: false };

test('while one relay signs in no other does', async () => {
  await using clone = await freshDatabase();
  await using database = openDatabase({ url: clone.url, applicationName: 'test' });
  await announceLanes(database, [{ key, name: 'SMTP', routes: [] }]);
  const [first, second] = [randomUUID(), randomUUID()];

  expect(await takeAuth(database, key, { instance: first, ...asking })).toBe('granted');
  expect(await takeAuth(database, key, { instance: second, ...asking })).toBe('busy');
  await leaveAuth(database, key, first, true);
  expect(await takeAuth(database, key, { instance: second, ...asking })).toBe('granted');
});

test('who signs in for long keeps the permission, and who was killed or never heard of it does not', async () => {
  await using clone = await freshDatabase();
  await using database = openDatabase({ url: clone.url, applicationName: 'test' });
  await announceLanes(database, [{ key, name: 'SMTP', routes: [] }]);
  const [first, other] = [randomUUID(), randomUUID()];
  const secondsLeft = async () => {
    const { rows } = await clone.query(
      'select extract(epoch from auth_until - now())::float8 as left from lane',
    );
    return rows[0]?.left as number;
  };
  expect(await takeAuth(database, key, { instance: first, ...asking })).toBe('granted');

  const release = keepAuth(database, key, { instance: first, timeoutSeconds: 30 });
  await clone.query("update lane set auth_until = now() + interval '4 seconds'");
  await until(async () => (await secondsLeft()) > 5, { what: 'the permission to be renewed' });
  expect(await takeAuth(database, key, { instance: other, ...asking })).toBe('busy');

  release();
  expect(await secondsLeft()).toBeLessThanOrEqual(8);
  await clone.query("update lane set auth_until = auth_until - interval '8 seconds'");
  expect(await takeAuth(database, key, { instance: other, ...asking })).toBe('granted');
});
