import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from './ports.ts';
import { endLeftovers, startProcess } from './process.ts';
import { until } from './until.ts';

// A process of ours in miniature: it says JSON, answers /readyz, and stops on SIGTERM.
const script = `
  import { createServer } from 'node:http';
  console.log(JSON.stringify({ msg: 'Started', seen: Object.keys(process.env).sort() }));
  console.error('a plain line');
  if (process.env.FAIL) process.exit(78);
  const server = createServer((_, response) => response.end('ready'));
  setTimeout(() => server.listen(Number(process.env.PORT), '127.0.0.1'), 50);
  process.on('SIGTERM', () => { console.log('{"msg":"Stopped"}'); process.exit(0); });
`;
let directory: string;
let path: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'postern-process-'));
  path = join(directory, 'main.ts');
  await writeFile(path, script);
});
afterAll(() => rm(directory, { recursive: true }));

async function startMiniature(environment: Record<string, string> = {}) {
  const port = await freePort();
  return startProcess({
    script: path,
    environment: { PORT: String(port), ...environment },
    readyUrl: `http://127.0.0.1:${port}/readyz`,
  });
}

test('is ready when its address answers, sees only its own environment, and stops when told', async () => {
  await using process = await startMiniature();
  expect(process.log[0]).toEqual({ msg: 'Started', seen: ['NODE_COMPILE_CACHE', 'PATH', 'PORT'] });
  await until(() => process.log.some(({ msg }) => msg === 'a plain line'));
  expect(await process.stop()).toEqual({ code: 0, signal: null });
  expect(process.log.at(-1)).toEqual({ msg: 'Stopped' });
});

test('one that ends before it is ready fails with its output', async () => {
  await expect(startMiniature({ FAIL: 'yes' })).rejects.toThrow(/did not become ready[\s\S]*a plain line/);
});

test('it can be killed, and frozen', async () => {
  await using killed = await startMiniature();
  killed.kill('SIGKILL');
  expect(await killed.exited).toEqual({ code: null, signal: 'SIGKILL' });
  await using frozen = await startMiniature();
  frozen.kill('SIGSTOP');
  expect(await frozen.stop()).toEqual({ code: 0, signal: null });
});

test('one that was left behind is ended and named', async () => {
  const left = await startMiniature();
  expect(await endLeftovers()).toEqual([expect.stringContaining(`(pid ${left.pid})`)]);
  expect(left.exit).toEqual({ code: null, signal: 'SIGKILL' });
  expect(await endLeftovers()).toEqual([]);
});
