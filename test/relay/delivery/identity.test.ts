// A standby that took over is no restored backup, and a restored backup is one also under a relay that runs.
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { openDatabase } from '../../../deploy/database.ts';
import {
  checkIdentity,
  type IdentityEvidence,
  judgeIdentity,
} from '../../../relay/delivery/queue/identity.ts';
import { freshDatabase, ownPostgres, urlOfProcess } from '../../kit/database.ts';
import { startProvider } from '../../kit/provider.ts';
import { until } from '../../kit/until.ts';
import { environmentFor, openWayOut, queueMail, queueMails, settled } from './way-out.ts';

const server = (timeline: number, systemIdentifier = '7') => ({ systemIdentifier, timeline });
const at = (second: number) => new Date(Date.UTC(2030, 0, 1, 0, 0, second));
const evidence = (more: Partial<IdentityEvidence>): IdentityEvidence => ({
  current: server(1),
  recorded: server(1),
  ownSeenAt: null,
  newestHeartbeatSeconds: null,
  takenOverAt: null,
  ...more,
});

const starting = { acknowledged: undefined, server: undefined };
const living = { acknowledged: at(5), server: server(1) };

test.each([
  ['the same server', evidence({}), starting, { kind: 'same' }],
  ['a database that no relay has used', evidence({ recorded: null }), starting, { kind: 'same' }],
  [
    'a higher timeline with a young heartbeat, at the start of a relay',
    evidence({ current: server(2), newestHeartbeatSeconds: 60 }),
    starting,
    { kind: 'promoted' },
  ],
  [
    'a higher timeline with an old heartbeat',
    evidence({ current: server(2), newestHeartbeatSeconds: 60.5 }),
    starting,
    { kind: 'restored', missingSeconds: 61 },
  ],
  ['a higher timeline without a heartbeat', evidence({ current: server(2) }), starting, { kind: 'restored' }],
  [
    'another server, however young the heartbeat',
    evidence({ current: server(2, '8'), newestHeartbeatSeconds: 1 }),
    starting,
    { kind: 'restored' },
  ],
  [
    'a lower timeline',
    evidence({ recorded: server(3), current: server(2), newestHeartbeatSeconds: 1 }),
    starting,
    { kind: 'restored' },
  ],
  [
    'a higher timeline that has what a living relay saw committed, however old the heartbeat',
    evidence({ current: server(2), ownSeenAt: at(5), newestHeartbeatSeconds: 900 }),
    living,
    { kind: 'promoted', since: at(5) },
  ],
  [
    'the same, when another relay has noticed before: this one may know more',
    evidence({ current: server(2), recorded: server(2), ownSeenAt: at(5) }),
    living,
    { kind: 'promoted', since: at(5) },
  ],
  [
    'a higher timeline that lacks what a living relay saw committed, however young the heartbeat',
    evidence({ current: server(2), ownSeenAt: at(3), newestHeartbeatSeconds: 1 }),
    living,
    { kind: 'missing', since: at(3) },
  ],
  [
    'the same, and the server says what its newest commit was',
    evidence({ current: server(2), ownSeenAt: at(3), takenOverAt: at(4) }),
    living,
    { kind: 'missing', since: at(4) },
  ],
  [
    'the same timeline that lacks what a living relay saw committed: a snapshot was put back',
    evidence({ ownSeenAt: at(2) }),
    living,
    { kind: 'missing', since: at(2) },
  ],
  [
    'a database that does not know a living relay at all: nobody can say since when',
    evidence({ ownSeenAt: null }),
    living,
    { kind: 'restored', missingSeconds: null },
  ],
  [
    'another server that lacks what a living relay saw committed: a dump, or a logical copy',
    evidence({ current: server(1, '8'), ownSeenAt: at(3) }),
    living,
    { kind: 'restored', missingSeconds: 2 },
  ],
] as const)('%s', (_, found, knowledge, judgement) => {
  expect(judgeIdentity(found, knowledge)).toMatchObject(judgement);
});

/** What the relay's process does beside delivery. */
const heartbeat = `insert into heartbeat (instance, process, report) values (gen_random_uuid(), 'relay', '{}')`;

test('after a promotion mail flows again at once: under the relay that runs, and at the next start', async () => {
  await using postgres = await ownPostgres();
  const { url, query } = postgres;
  await using provider = await startProvider();
  const environment = environmentFor(provider);
  {
    await using wayOut = await openWayOut(url, environment);
    await query(heartbeat);
    const before = await queueMail(query);
    await settled(query, before.queueId, ['sent']);

    await postgres.stop();
    await postgres.promote();
    const [mail] = await until(() => queueMails(query, [{}]).catch(() => undefined), {
      what: 'PostgreSQL to take mail again',
    });
    await settled(query, mail?.queueId ?? '', ['sent']);
    expect(wayOut.alerts).toEqual([]);
    await query(heartbeat);
  }
  // Nobody runs now.
  const waiting = await queueMails(query, [{}, {}, {}]);
  await postgres.stop();
  await postgres.promote();
  await until(() => query('select 1').catch(() => undefined), { what: 'PostgreSQL to answer' });
  await using later = await openWayOut(url, environment);
  for (const { queueId } of waiting) await settled(query, queueId, ['sent']);
  expect(later.alerts).toEqual([]);
  expect(provider.messages).toHaveLength(5);
});

test('a relay under which a backup was restored writes its results again, and says how many seconds are missing', async () => {
  await using postgres = await ownPostgres();
  const { url, query } = postgres;
  await using provider = await startProvider();
  await using wayOut = await openWayOut(url, environmentFor(provider));
  provider.on('mail', '451 4.3.0 later');
  const { queueId } = await queueMail(query);
  await settled(query, queueId, ['deferred']);
  await postgres.stop();
  await postgres.keep('backup');
  await postgres.start();
  provider.behave();
  // As if it had left: only the backup still believes that it waits.
  await until(
    () =>
      query(`update recipient set next_attempt_at = now()`).then(
        () => true,
        () => undefined,
      ),
    { what: 'PostgreSQL to answer' },
  );
  await settled(query, queueId, ['sent']);
  const seen = async () =>
    (await query<{ at: Date }>('select max(seen_at) as at from lane_replica')).rows[0]?.at.getTime() ?? 0;
  const then = await seen();
  await until(async () => (await seen()) > then + 1_500, { what: 'the relay to live on for a while' });

  await postgres.stop();
  await postgres.putBack('backup');
  await postgres.promote();
  await until(() => wayOut.alerts.length > 0, { what: 'somebody to be told' });
  expect(wayOut.alerts).toMatchObject([
    {
      kind: 'database-restored',
      detail: expect.stringMatching(/^Commits of \d+\.\d s are missing.* nothing else is held/),
    },
  ]);
  expect(await settled(query, queueId, ['sent'])).toMatchObject({ replyCode: 250 });
  expect(provider.messages).toHaveLength(1);
  const fresh = await queueMail(query);
  await settled(query, fresh.queueId, ['sent']);
}, 180_000);

test('where the service does not tell the timeline of what is written, that of the last checkpoint counts', async () => {
  await using given = await freshDatabase();
  await given.query('revoke execute on function pg_current_wal_insert_lsn() from public');
  await using database = openDatabase({ url: urlOfProcess(given.url, 'relay'), applicationName: 'test' });
  const instance = randomUUID();
  for (const isNews of [true, false])
    expect(await checkIdentity(database, { instance })).toMatchObject({
      judgement: { kind: 'same' },
      isNews,
    });
});
