// Hourly and daily limits hold for all relays together.
import { expect, test } from 'vitest';
import { openDatabase } from '../../../deploy/database.ts';
import { forgetUsage, refund, spend } from '../../../relay/delivery/lanes/pacing.ts';
import { announceLanes } from '../../../relay/lane-state/lanes.ts';
import { freshDatabase } from '../../kit/database.ts';

const lane = 'SMTP mail.example.com app@example.com 1a2b';
const one = { recipients: 1, isUrgent: true };

async function oneLane() {
  const resources = new AsyncDisposableStack();
  const given = resources.use(await freshDatabase());
  const database = resources.use(openDatabase({ url: given.url, applicationName: 'test', max: 10 }));
  await announceLanes(database, [{ key: lane, name: 'SMTP', routes: [] }]);
  return { given, database, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

test('however many ask at the same time, no more is granted than the limit; what was not used is given back', async () => {
  await using lanes = await oneLane();
  const { database } = lanes;
  const ask = () => spend(database, lane, { perHour: 10 }, one);
  const answers = await Promise.all(Array.from({ length: 20 }, ask));
  expect(answers.filter(({ granted }) => granted)).toHaveLength(10);
  for (const { granted, retryInSeconds } of answers) if (!granted) expect(retryInSeconds).toBeGreaterThan(60);
  await refund(database, lane, 2);
  expect((await Promise.all([ask(), ask(), ask()])).filter(({ granted }) => granted)).toHaveLength(2);
});

test('what was sent before the last hour counts for the day only, and what was sent before the last day for nothing', async () => {
  await using lanes = await oneLane();
  const { database, given } = lanes;
  const sentHoursAgo = async (hours: number) => {
    await given.query('delete from lane_usage');
    await given.query(
      `insert into lane_usage (lane, minute, recipients)
       values ($1, date_trunc('minute', now()) - make_interval(mins => $2), 10)`,
      [lane, hours * 60],
    );
  };
  const granted = async (limits: Parameters<typeof spend>[2]) =>
    (await spend(database, lane, limits, one)).granted;
  await sentHoursAgo(2);
  expect(await granted({ perDay: 10 })).toBe(false);
  expect(await granted({ perHour: 10 })).toBe(true);
  await sentHoursAgo(26);
  expect(await granted({ perDay: 10 })).toBe(true);
  await sentHoursAgo(23);
  await forgetUsage(database);
  expect(await granted({ perDay: 10 })).toBe(false);
});

test('a mail with more recipients than the limit leaves alone', async () => {
  await using lanes = await oneLane();
  const { database } = lanes;
  const large = { recipients: 50, isUrgent: false };
  expect((await spend(database, lane, { perHour: 10 }, large)).granted).toBe(true);
  expect((await spend(database, lane, { perHour: 10 }, large)).granted).toBe(false);
  expect((await spend(database, lane, { perHour: 10 }, one)).granted).toBe(false);
});
