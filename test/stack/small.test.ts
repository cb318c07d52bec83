// A server with 1 GB of memory, as small teams rent them: what the system and Docker leave of it must be enough for the
// whole stack while mail passes through.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ComposeStack, composeStack, docker } from './compose.ts';
import { expectAllOnce, startLoad } from './load.ts';

// Measured on an idle Debian with Docker: 220 MB are used; the rest of 1 GB, less a reserve.
const mostMegabytes = 640;
const services = ['postern-postgres', 'postern-relay', 'postern-worker', 'postern-api'];

let stack: ComposeStack;

beforeAll(async () => {
  stack = await composeStack();
  await stack.compose('up', '--detach', '--wait');
}, 240_000);

afterAll(async () => stack[Symbol.asyncDispose](), 120_000);

/** In MB, without the page cache that the kernel takes back when it needs to. */
async function usedMegabytes(): Promise<number> {
  const ids = await Promise.all(services.map((service) => stack.containers(service)));
  const said = await docker('stats', '--no-stream', '--format', '{{.MemUsage}}', ...ids.flat());
  const units: Readonly<Record<string, number>> = { KiB: 1 / 1_024, MiB: 1, GiB: 1_024 };
  const each = [...said.matchAll(/^([\d.]+)([KMG]iB)/gm)];
  expect(each).toHaveLength(services.length);
  return each.reduce((sum, [, number, unit]) => sum + Number(number) * (units[unit ?? ''] ?? Number.NaN), 0);
}

test('the stack uses less than a server of 1 GB has, at rest and while 20 mails a second pass', async () => {
  const idle = await usedMegabytes();
  const load = startLoad(stack, { mails: 400, perSecond: 20, everyOther: 'scheduled' });
  let most = idle;
  let isFinished = false;
  void load.finished.then(() => {
    isFinished = true;
  });
  while (!isFinished) most = Math.max(most, await usedMegabytes());
  await expectAllOnce(stack, load.accepted);
  most = Math.max(most, await usedMegabytes());
  console.info(`Memory of the stack: ${idle.toFixed(0)} MB idle, ${most.toFixed(0)} MB under load`);
  expect(load.refused).toEqual([]);
  expect(most).toBeLessThan(mostMegabytes);
}, 240_000);
