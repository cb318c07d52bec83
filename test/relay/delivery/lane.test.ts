// What one relay knows of a lane by itself is newer than what it asked the database before.
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { openDatabase } from '../../../deploy/database.ts';
import { openLog } from '../../../deploy/log.ts';
import { openContext } from '../../../relay/delivery/context.ts';
import { close } from '../../../relay/delivery/lanes/close.ts';
import { createLane } from '../../../relay/delivery/lanes/lane.ts';
import { usualTimeouts } from '../../../relay/delivery/timeouts.ts';
import { announceLanes, laneKey, openLane, readLanes } from '../../../relay/lane-state/lanes.ts';
import { openTokens } from '../../../relay/tokens/tokens.ts';
import { judge } from '../../../relay/verdict/verdict.ts';
import { freshDatabase } from '../../kit/database.ts';
import { startProvider } from '../../kit/provider.ts';
import { environmentFor } from './way-out.ts';

const refusal = {
  stage: 'auth',
  symptom: { responseCode: 535, reply: '535 5.7.8 Authentication failed' },
  timings: {},
} as const;

test('a reading from before a lane was closed, or a sender held, does not undo either', async () => {
  await using given = await freshDatabase();
  await using database = openDatabase({ url: given.url, applicationName: 'test', max: 2 });
  await using server = await startProvider();
  const [provider] = environmentFor(server).providers;
  if (!provider) throw new Error('no provider');
  const key = laneKey(provider);
  await announceLanes(database, [{ key, name: provider.name, routes: provider.routes }]);
  const lane = createLane(provider, usualTimeouts);
  const instance = randomUUID();
  const { signal } = new AbortController();
  const context = openContext({
    database,
    log: openLog('relay', 'silent'),
    instance,
    settings: environmentFor(server),
    timeouts: usualTimeouts,
    tokens: openTokens({ database, instance, signal }),
    stopping: signal,
    alert: () => {},
    metrics: undefined,
    databaseWasAway: () => {},
  });
  lane.slots = 5;
  const read = async () => {
    const epoch = lane.view.epoch;
    const [reading] = await readLanes(database, [key]);
    if (!reading) throw new Error('no lane');
    return () => lane.absorb(reading, epoch);
  };
  expect(lane.capacity).toBe(1);

  const beforeTheHold = await read();
  lane.view.learnHold({ sender: 'boss@example.com', cause: 'sender-not-owned', detail: '', stage: 'mail' });
  beforeTheHold();
  expect(lane.view.reading.heldSenders).toMatchObject([{ sender: 'boss@example.com' }]);

  const beforeTheEnd = await read();
  await close(context, lane, { judgement: judge(refusal), failure: refusal });
  beforeTheEnd();
  expect(lane.isOpen).toBe(false);
  expect(lane.capacity).toBe(0);
  (await read())();
  expect(lane.view.reading).toMatchObject({ state: 'stopped', cause: 'auth-bad-credentials' });

  await openLane(database, key);
  (await read())();
  expect(lane.isOpen).toBe(true);
});
