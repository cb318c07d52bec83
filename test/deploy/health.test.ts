import { expect, test } from 'vitest';
import { listenHealth, type Readiness } from '../../deploy/health.ts';
import { openLog } from '../../deploy/log.ts';

const log = openLog('relay', 'silent');

function listen(ready: () => Promise<Readiness>, metrics?: () => Promise<string>) {
  return listenHealth({ port: 0, bind: '127.0.0.1', log, ready, ...(metrics && { metrics }) });
}

async function get(port: number, path: string, method = 'GET') {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
  return { status: response.status, body: await response.text(), type: response.headers.get('content-type') };
}

test('readiness follows the answer, and details are shown only when asked for', async () => {
  let answer: Readiness = { ready: true, queue: 3 };
  await using health = await listen(async () => answer);

  expect(await get(health.port, '/readyz')).toMatchObject({ status: 200, body: '{"ready":true}' });
  expect(await get(health.port, '/readyz?verbose')).toMatchObject({
    status: 200,
    body: '{"ready":true,"queue":3}',
  });
  answer = { ready: false, reason: 'PostgreSQL is unavailable' };
  expect(await get(health.port, '/readyz')).toMatchObject({ status: 503, body: '{"ready":false}' });
  expect((await get(health.port, '/readyz?verbose')).body).toContain('PostgreSQL is unavailable');
});

test('a readiness check that throws means not ready, and the process is still alive', async () => {
  await using health = await listen(() => Promise.reject(new Error('no')));
  expect(await get(health.port, '/readyz')).toMatchObject({ status: 503, body: '{"ready":false}' });
  expect(await get(health.port, '/livez')).toMatchObject({ status: 200 });
});

test('a readiness check that never answers means not ready', async () => {
  await using health = await listen(() => new Promise(() => {}));
  expect(await get(health.port, '/readyz')).toMatchObject({ status: 503 });
});

test('metrics are Prometheus text', async () => {
  await using health = await listen(
    async () => ({ ready: true }),
    async () => 'postern_up 1\n',
  );
  expect(await get(health.port, '/metrics')).toEqual({
    status: 200,
    body: 'postern_up 1\n',
    type: 'text/plain; version=0.0.4; charset=utf-8',
  });
});

test('anything else is refused', async () => {
  await using health = await listen(async () => ({ ready: true }));
  expect(await get(health.port, '/')).toMatchObject({ status: 404 });
  expect(await get(health.port, '/metrics')).toMatchObject({ status: 404 });
  expect(await get(health.port, '/livez', 'POST')).toMatchObject({ status: 405 });
});

test('a port that is taken is an error, and a disposed one is free again', async () => {
  const health = await listen(async () => ({ ready: true }));
  const again = () =>
    listenHealth({ port: health.port, bind: '127.0.0.1', log, ready: async () => ({ ready: true }) });
  await expect(again()).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await health[Symbol.asyncDispose]();
  await using _second = await again();
});
