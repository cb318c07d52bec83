// One AUTH at a time, cluster-wide, without waiting for the dead.
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { openDatabase } from '../../../deploy/database.ts';
import { announceLanes, leaveAuth, takeAuth } from '../../../relay/delivery/lane-state.ts';
import { meetReplicas } from '../../../relay/delivery/share.ts';
import { freshDatabase } from '../../kit/database.ts';

const key = 'SMTP mail.example.com app@example.com 1a2b';
const asking = { leaseMs: 65_000, isProbe: false };

test('while one relay signs in no other does', async () => {
  await using clone = await freshDatabase();
  await using database = openDatabase({ url: clone.url, applicationName: 'test' });
  await announceLanes(database, [{ key, name: 'SMTP', routes: [] }]);
  const [first, second] = [randomUUID(), randomUUID()];
  await meetReplicas(database, { instance: first, busy: true }, 8_000);

  expect(await takeAuth(database, key, { instance: first, ...asking })).toBe('granted');
  expect(await takeAuth(database, key, { instance: second, ...asking })).toBe('busy');
  await leaveAuth(database, key, first, true);
  expect(await takeAuth(database, key, { instance: second, ...asking })).toBe('granted');
});

test('a relay that was killed while it signed in keeps nobody from signing in', async () => {
  await using clone = await freshDatabase();
  await using database = openDatabase({ url: clone.url, applicationName: 'test' });
  await announceLanes(database, [{ key, name: 'SMTP', routes: [] }]);
  const [killed, other] = [randomUUID(), randomUUID()];
  await meetReplicas(database, { instance: killed, busy: true }, 8_000);
  expect(await takeAuth(database, key, { instance: killed, ...asking })).toBe('granted');

  await clone.query("update lane_replica set seen_at = now() - interval '9 seconds'");
  expect(await takeAuth(database, key, { instance: other, ...asking })).toBe('granted');
});
