import { expect, test } from 'vitest';
import { startStack } from './stack.ts';

test('a process keeps its place: killed and started again it answers at the same address', async () => {
  await using stack = await startStack({ processes: ['api'] });
  expect(await stack.api.get('/readyz', { key: null })).toMatchObject({ status: 200 });
  expect(await stack.api.get('/api/customers')).toMatchObject({ status: 200 });
  expect(await stack.api.get('/api/customers', { key: 'wrong' })).toMatchObject({ status: 401 });
  await expect(stack.api.start()).rejects.toThrow('still running');

  stack.api.process.kill('SIGKILL');
  expect((await stack.api.process.exited).signal).toBe('SIGKILL');
  await expect(stack.api.get('/readyz')).rejects.toThrow('fetch failed');
  await stack.api.start({ LOG_LEVEL: 'error' });
  expect(await stack.api.get('/readyz')).toMatchObject({ status: 200 });
  expect(stack.output).toContain('listens on port');
});

test('processes that were not asked for can be started later', async () => {
  await using stack = await startStack({ processes: [], provider: false });
  expect(() => stack.api.process).toThrow('api has not been started');
  expect(() => stack.provider).toThrow('no provider');
  await stack.api.start();
  expect(await stack.api.get('/livez')).toMatchObject({ status: 200 });
});

test('a process that cannot start fails the start with its own words', async () => {
  await expect(startStack({ processes: ['api'], api: { API_KEY: '' } })).rejects.toThrow(
    /did not become ready[\s\S]*API_KEY/,
  );
});
