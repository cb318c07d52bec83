import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../kit/until.ts';
import { type ComposeStack, composeStack } from './compose.ts';
import { expectAllOnce, startLoad } from './load.ts';

let stack: ComposeStack;

beforeEach(async () => {
  stack = await composeStack();
}, 60_000);

afterEach(async () => stack[Symbol.asyncDispose](), 120_000);

const everything = ['up', '--detach', '--wait'] as const;

/**
 * A name that is gone, as that of a stopped container is, is a matter for a person: the relay itself looks again after
 * a minute, and at once when a doctor has found that it works.
 */
const examine = () => stack.compose('exec', '-T', 'postern-relay', 'node', 'relay/doctor/main.ts');

test('down and up keeps the queue', async () => {
  await stack.compose(...everything);
  // Nobody is there to take it: what is queued now is still queued when everything is gone.
  await stack.compose('stop', 'stand-in');
  const load = startLoad(stack, { mails: 20 });
  await load.finished;
  await stack.compose('down');
  await stack.compose(...everything);
  await examine();
  await expectAllOnce(stack, load.accepted);
}, 180_000);

test('two relays and three workers send nothing twice', async () => {
  await stack.compose(...everything, '--scale', 'postern-relay=2', '--scale', 'postern-worker=3');
  expect(await stack.containers('postern-relay')).toHaveLength(2);
  const load = startLoad(stack, { mails: 150, everyOther: 'scheduled' });
  await load.finished;
  await expectAllOnce(stack, load.accepted);
}, 180_000);

test('a rolling restart under load loses nothing and repeats nothing', async () => {
  await stack.compose(...everything, '--scale', 'postern-relay=2', '--scale', 'postern-worker=2');
  const load = startLoad(stack, { perSecond: 20 });
  for (const service of ['postern-relay', 'postern-worker', 'postern-api']) {
    await stack.compose('restart', '--timeout', '30', service);
    await stack.compose(
      ...everything,
      '--scale',
      'postern-relay=2',
      '--scale',
      'postern-worker=2',
      '--no-recreate',
    );
    await load.more(20);
  }
  await load.stop();
  await expectAllOnce(stack, load.accepted);
}, 400_000);

test('new images under load lose nothing and repeat nothing', async () => {
  await stack.compose(...everything);
  const load = startLoad(stack, { perSecond: 20 });
  await stack.compose(
    ...everything,
    '--force-recreate',
    '--no-deps',
    'postern-migrate',
    'postern-relay',
    'postern-worker',
    'postern-api',
  );
  await until(async () => (await stack.ask('GET', '/readyz')).status === 200, {
    what: 'the new api',
    timeoutMs: 30_000,
  });
  await load.stop();
  await expectAllOnce(stack, load.accepted);
}, 400_000);

test('a restored backup holds what was waiting in it, because it may have been sent since', async () => {
  await stack.compose(...everything);
  await stack.compose('stop', 'stand-in');
  const load = startLoad(stack, { mails: 10 });
  await load.finished;
  await stack.compose(
    'exec',
    '-T',
    'postern-postgres',
    ...'pg_dump --username=postern --format=custom --file=/tmp/postern.dump postern'.split(' '),
  );
  const dump = join(await mkdtemp(join(tmpdir(), 'postern-backup-')), 'postern.dump');
  await stack.compose('cp', 'postern-postgres:/tmp/postern.dump', dump);
  await stack.compose('up', '--detach', '--wait', '--no-recreate', 'stand-in');
  await examine();
  await expectAllOnce(stack, load.accepted);

  // As deploy/README.md says. The volume of the stand-in goes as well: what it has afterwards was sent afterwards.
  await stack.compose('down', '--volumes');
  await stack.compose('up', '--detach', '--wait', 'postern-postgres');
  // Roles belong to the server and are in no dump; migrate lets them log in.
  await stack.compose(
    ...['exec', '-T', 'postern-postgres', 'psql', '--username=postern', '--command'],
    'create role postern_api; create role postern_relay; create role postern_worker',
  );
  await stack.compose('cp', dump, 'postern-postgres:/tmp/postern.dump');
  await stack.compose(
    'exec',
    '-T',
    'postern-postgres',
    ...'pg_restore --username=postern --dbname=postern --exit-on-error /tmp/postern.dump'.split(' '),
  );
  await stack.compose(...everything);
  for (const id of load.accepted.values()) {
    await until(
      async () => (await stack.ask('GET', `/api/v1/emails/${id}`)).body.reason === 'database-restored',
      { what: 'the mail to be held', timeoutMs: 30_000 },
    );
  }
  expect(await stack.mails()).toEqual([]);
  await rm(dump, { force: true });
}, 400_000);
