// From release 0.1.0, whose services were called postgres, relay, worker and api, to this checkout: on the same volume,
// with mail that waits.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../kit/until.ts';
import { buildPreviousRelease, type ComposeStack, composeStack } from './compose.ts';
import { expectAllOnce, type Load, startLoad } from './load.ts';

let stack: ComposeStack | undefined;
let previous: Awaited<ReturnType<typeof buildPreviousRelease>>;
let load: Load;

beforeAll(async () => {
  previous = await buildPreviousRelease();
  if (!previous) return;
  stack = await composeStack({ release: previous });
  await stack.compose('up', '--detach', '--wait');
  // Nobody is there to take it: what is queued now is still queued when the new release starts.
  await stack.compose('stop', 'stand-in');
  load = startLoad(stack, { mails: 20 });
  await load.finished;
}, 300_000);

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await previous?.[Symbol.asyncDispose]();
}, 120_000);

test('the new PostgreSQL does not start while the old one uses its volume, and says what to do', async (context) => {
  if (!stack) return context.skip();
  const upgraded = stack.given({});
  await upgraded.tryCompose('up', '--detach', '--no-deps', 'postern-postgres');
  await until(
    async () => {
      const logs = await upgraded.compose('logs', '--no-color', 'postern-postgres');
      return logs.includes('The container postgres of Postern 0.1.0 still uses this volume. Remove it first');
    },
    { what: 'the new server to refuse', timeoutMs: 30_000 },
  );
  const { body } = await stack.ask('GET', '/api/v1/emails?limit=1');
  expect(body.data).toHaveLength(1);
}, 120_000);

test('what waited in 0.1.0 leaves after the upgrade, each mail once', async (context) => {
  if (!stack) return context.skip();
  const upgraded = stack.given({});
  await upgraded.compose('up', '--detach', '--wait', '--remove-orphans');
  expect(load.accepted.size).toBe(20);
  await upgraded.compose('exec', '-T', 'postern-relay', 'node', 'relay/doctor/main.ts');
  await expectAllOnce(stack, load.accepted);
  const after = startLoad(stack, { mails: 5, name: 'after' });
  await after.finished;
  await expectAllOnce(stack, after.accepted);
}, 300_000);
