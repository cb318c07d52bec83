// When the queue will be clear: said where it can be reckoned, and left open where only the provider knows.
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { beat } from '../../relay/client/status/heartbeat.ts';
import { type Api, startApi } from './in-process.ts';

const hour = 3_600_000;
const inHours = (hours: number) => new Date(Date.now() + hours * hour).toISOString();
const instance = randomUUID();

/** As the relay would say it. */
async function say(api: Api, lane: object): Promise<void> {
  const report = {
    configured: true,
    missing: [],
    lanes: [
      {
        name: 'SMTP',
        state: 'open',
        cause: null,
        detail: null,
        next_probe_at: null,
        paced_until: null,
        max_per_hour: null,
        max_per_day: null,
        ...lane,
      },
    ],
  };
  await beat(api.database, { instance, process: 'relay', report });
}

const waitingFor = async (api: Api) =>
  (await api.get('/api/v1/email-status', { key: null })).body.waiting_for as Record<string, string> | null;

const hoursFromNow = (instant: string | undefined) => (new Date(instant ?? '').getTime() - Date.now()) / hour;

test('the status says until when nothing leaves, and when what waits will have left', async () => {
  await using api = await startApi();
  expect(await waitingFor(api)).toBeNull();
  await say(api, {});
  expect(await waitingFor(api)).toBeNull();

  await api.query(
    `insert into message (queue_id, credential, sender, header_from, message_id, size, priority)
     values ('Q1', 'app', '', '', '', 1, 1)`,
  );
  await api.query(
    `insert into recipient (queue_id, ordinal, address, status, priority, next_attempt_at)
     select 'Q1', i, 'ann@example.org', 'queued', 1, now() from generate_series(1, 50) i`,
  );
  const until = inHours(1);
  await say(api, { paced_until: until, max_per_hour: 100 });
  const paced = await waitingFor(api);
  expect(paced).toMatchObject({ cause: 'paced', until, docs: '/docs/causes#paced' });
  expect(hoursFromNow(paced?.clear_at)).toBeCloseTo(1.5, 1);

  // The stricter of two limits is the pace: 240 a day are 10 an hour.
  await say(api, { paced_until: until, max_per_hour: 100, max_per_day: 240 });
  expect(hoursFromNow((await waitingFor(api))?.clear_at)).toBeCloseTo(6, 1);

  // The provider's own limit: when it ends is known, how much then goes out is not.
  const paused = {
    state: 'paused',
    cause: 'daily-limit',
    detail: '550 ann@example.org',
    next_probe_at: until,
  };
  await say(api, paused);
  expect(await waitingFor(api)).toMatchObject({ cause: 'daily-limit', until, clear_at: null });
  expect(JSON.stringify(await waitingFor(api))).not.toContain('ann@example.org');
  await say(api, { ...paused, max_per_hour: 50 });
  expect(hoursFromNow((await waitingFor(api))?.clear_at)).toBeCloseTo(2, 1);

  // Nobody knows when a person will have put a password right.
  await say(api, { ...paused, state: 'stopped', cause: 'auth-bad-credentials', max_per_hour: 50 });
  expect(await waitingFor(api)).toMatchObject({ cause: 'auth-bad-credentials', clear_at: null });
});
