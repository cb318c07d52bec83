import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ComposeStack, composeStack, docker } from './compose.ts';
import { expectAllOnce, startLoad } from './load.ts';

let stack: ComposeStack;

beforeAll(async () => {
  stack = await composeStack();
  await stack.compose('up', '--detach', '--wait');
}, 240_000);

afterAll(async () => stack[Symbol.asyncDispose](), 120_000);

const faults = {
  async kill(id: string) {
    await docker('kill', id);
    return () => docker('start', id);
  },
  async pause(id: string) {
    await docker('pause', id);
    return () => docker('unpause', id);
  },
  async disconnect(id: string, service: string) {
    const network = `${stack.project}_default`;
    await docker('network', 'disconnect', '--force', network, id);
    return () => docker('network', 'connect', '--alias', service, network, id);
  },
} as const;

describe.each(['postern-relay', 'postern-worker', 'postern-postgres', 'postern-api', 'stand-in'])(
  'under load, %s',
  (service) => {
    test.each(Object.keys(faults) as (keyof typeof faults)[])(
      'may suffer a %s and nothing is lost',
      async (fault) => {
        const [id = ''] = await stack.containers(service);
        const load = startLoad(stack, { perSecond: 15, name: `${service}-${fault}`, patienceMs: 10_000 });
        await load.more(10);
        const mend = await faults[fault](id, service);
        await load.more(10, 'answered');
        await mend();
        await load.more(10);
        await load.stop();
        await expectAllOnce(stack, load.accepted);
        expect((await stack.ask('GET', '/readyz')).status).toBe(200);
      },
      240_000,
    );
  },
);
