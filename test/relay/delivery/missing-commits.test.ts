// A standby that took over without the last commits: what relays remember, and what becomes of the mail that was there.
import { expect, test } from 'vitest';
import { openRecollection, remember } from '../../../relay/delivery/queue/recollection.ts';
import { judgeAsking } from '../../../relay/delivery/queue/restored.ts';
import type { Change } from '../../../relay/delivery/queue/results.ts';

const at = (second: number) => new Date(Date.UTC(2030, 0, 1, 0, 0, second));
const change = (queueId: string, status: Change['status'], more: Partial<Change> = {}): Change => ({
  queueId,
  ordinal: 0,
  token: '00000000-0000-0000-0000-000000000001',
  markedAt: '2030-01-01 00:00:03.5+00',
  resends: 0,
  status,
  ...more,
});
const known = (queueId: string, status: Change['status'], second: number, more: Partial<Change> = {}) => ({
  change: change(queueId, status, more),
  entries: [],
  at: at(second),
});
const queueIdsSince = (recollection: ReturnType<typeof openRecollection>, second: number) =>
  recollection.since(at(second)).results.map(({ change: { queueId } }) => queueId);

test.each([
  ['all relays have said what they know', [], 0.1, at(5), 'let go'],
  ['the others are still asked', ['a'], 4.9, at(5), 'wait'],
  ['one says nothing, and nobody misses anything', ['a'], 5, null, 'let go'],
  ['one says nothing, and another one misses commits', ['a'], 5, at(5), 'hold'],
  ['a restored backup', null, 0, null, 'hold'],
] as const)('%s', (_, asked, waited, until, verdict) => {
  expect(judgeAsking({ asked: asked && [...asked], waited_seconds: waited, missing_until: until })).toBe(
    verdict,
  );
});

test('a relay remembers what must not happen again, and the newest of it', () => {
  const recollection = openRecollection();
  recollection.keep(known('A', 'uncertain', 1));
  recollection.keep(known('B', 'bounced', 2, { markedAt: null }));
  recollection.keep(known('C', 'uncertain', 3));
  recollection.keep(known('D', 'held', 3));
  recollection.keep(known('E', 'held', 3, { markedAt: null }));
  recollection.keep(known('A', 'sent', 4));
  // A clear no: nothing has left.
  recollection.keep(known('C', 'deferred', 4));
  expect(queueIdsSince(recollection, 0)).toEqual(['B', 'D', 'A']);
  expect(recollection.since(at(4)).results).toMatchObject([{ change: { queueId: 'A', status: 'sent' } }]);
  expect(recollection.since(at(0)).isWhole).toBe(true);
});

test('a result that the database did not take is as old as its mark', () => {
  const recollection = openRecollection();
  const batch = { changes: [change('A', 'sent'), change('B', 'sent')], entries: [] };
  remember(recollection, batch, { keys: new Set(['A 0']), at: at(20) });
  expect(recollection.since(at(0)).results.map((each) => each.at)).toEqual([
    at(20),
    new Date(Date.UTC(2030, 0, 1, 0, 0, 3, 500)),
  ]);
});

test.each([
  ['number', { mostItems: 2, mostBytes: 1e9, lastsMs: 1e9 }],
  ['bytes', { mostItems: 1e9, mostBytes: 1_000, lastsMs: 1e9 }],
  ['time', { mostItems: 1e9, mostBytes: 1e9, lastsMs: 2_000 }],
])('what a relay remembers is bounded by %s, and it knows what it has forgotten', (_, limits) => {
  const recollection = openRecollection(limits);
  for (let second = 1; second <= 9; second++) recollection.keep(known(`Q${second}`, 'sent', second));
  expect(queueIdsSince(recollection, 0)).toEqual(['Q8', 'Q9']);
  expect(recollection.since(at(7)).isWhole).toBe(false);
  expect(recollection.since(at(8)).isWhole).toBe(true);
});
