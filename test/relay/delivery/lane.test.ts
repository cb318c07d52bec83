// What one relay knows of a lane by itself is newer than what it asked the database before.
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { openDatabase } from '../../../deploy/database.ts';
import { openLog } from '../../../deploy/log.ts';
import { createLane, laneKey } from '../../../relay/delivery/lanes/lane.ts';
import { usualTempo } from '../../../relay/delivery/settings.ts';
import { announceLanes, openLane, readLanes } from '../../../relay/lane-state/lane-state.ts';
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
  const lane = createLane(provider, {
    database,
    log: openLog('relay', 'silent'),
    instance: randomUUID(),
    tempo: usualTempo,
    authorities: [],
    judge: (_, { stage, symptom }) => judge({ stage, symptom }),
    alert: () => {},
    wake: () => {},
  });
  lane.slots = 5;
  const read = async () => {
    const epoch = lane.epoch;
    const [reading] = await readLanes(database, [key]);
    if (!reading) throw new Error('no lane');
    return () => lane.absorb(reading, epoch);
  };
  expect(lane.capacity).toBe(1);

  const beforeTheHold = await read();
  lane.learnHold({ sender: 'boss@example.com', cause: 'sender-not-owned', detail: '', stage: 'mail' });
  beforeTheHold();
  expect(lane.reading.heldSenders).toMatchObject([{ sender: 'boss@example.com' }]);

  const beforeTheEnd = await read();
  await lane.close(judge(refusal), refusal);
  beforeTheEnd();
  expect(lane.isOpen).toBe(false);
  expect(lane.capacity).toBe(0);
  (await read())();
  expect(lane.reading).toMatchObject({ state: 'stopped', cause: 'auth-bad-credentials' });

  await openLane(database, key);
  (await read())();
  expect(lane.isOpen).toBe(true);
});
