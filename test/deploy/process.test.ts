import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { until } from '../kit/until.ts';

const example = fileURLToPath(new URL('example-process.ts', import.meta.url));
const environment = { DATABASE_URL: 'postgres://postern@db.internal/postern' };

type Line = { level: string; msg: string; hanging?: string; err?: { message: string } };

function start(wish: string, env: Record<string, string> = environment) {
  const child: ChildProcess = spawn(process.execPath, [example], { env: { WISH: wish, ...env } });
  const output = { out: '', err: '' };
  child.stdout?.on('data', (chunk) => (output.out += chunk));
  child.stderr?.on('data', (chunk) => (output.err += chunk));
  const closed = once(child, 'close');
  const lines = () =>
    output.out
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line);
  return {
    child,
    output,
    lines,
    said: (message: string) => until(() => lines().some(({ msg }) => msg === message), { what: message }),
    ended: async () => (await closed)[0] as number | null,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await closed;
    },
  };
}

test.each(['SIGTERM', 'SIGINT'] as const)('%s stops in reverse order and exits 0', async (signal) => {
  await using running = start('run');
  await running.said('ready');
  running.child.kill(signal);
  expect(await running.ended()).toBe(0);
  expect(running.lines().map(({ msg }) => msg)).toEqual([
    'ready',
    'Stopping',
    'signal aborted',
    'timer closed',
    'listener closed',
    'database closed',
    'Stopped',
  ]);
});

test('a second signal does not disturb the first', async () => {
  await using running = start('linger');
  await running.said('ready');
  running.child.kill('SIGTERM');
  await running.said('Stopping');
  running.child.kill('SIGTERM');
  await running.said('Already stopping');
  running.child.kill('SIGUSR2');
  expect(await running.ended()).toBe(0);
  expect(running.lines().at(-1)?.msg).toBe('Stopped');
});

test('what hangs while closing is named by the line that opened it, and the process exits 1', async () => {
  await using running = start('hang');
  await running.said('ready');
  running.child.kill('SIGTERM');
  expect(await running.ended()).toBe(1);
  expect(running.lines().at(-1)).toMatchObject({
    level: 'fatal',
    hanging: expect.stringMatching(/deploy\/example-process\.ts:\d+/),
  });
});

test('a signal during the start ends it, and nothing is closed while the start still uses it', async () => {
  await using running = start('start slowly');
  await running.said('starting');
  running.child.kill('SIGTERM');
  expect(await running.ended()).toBe(0);
  const messages = running.lines().map(({ msg }) => msg);
  expect(messages).not.toContain('ready');
  expect(messages).toContain('start given up');
  expect(messages.indexOf('start given up')).toBeLessThan(messages.indexOf('timer closed'));
});

test('a one-shot process closes everything and exits 0', async () => {
  await using running = start('finish');
  expect(await running.ended()).toBe(0);
  expect(running.lines().at(-2)?.msg).toBe('database closed');
});

test('a failed start is logged, closes what was opened and exits 1', async () => {
  await using running = start('fail');
  expect(await running.ended()).toBe(1);
  expect(running.lines()[0]).toMatchObject({
    level: 'fatal',
    msg: 'Could not start',
    err: { message: 'port taken' },
  });
  expect(running.lines().map(({ msg }) => msg)).toContain('database closed');
});

test.each([
  ['reject', 'dropped'],
  ['throw', 'thrown'],
])('an error nobody caught (%s) is logged and exits 1', async (wish, message) => {
  await using running = start(wish);
  expect(await running.ended()).toBe(1);
  expect(running.lines().at(-1)).toMatchObject({ level: 'fatal', err: { message } });
});

test('an unusable environment is told whole on standard error and exits 78 before anything starts', async () => {
  await using running = start('run', { DATABASE_URL: ' ', LOG_LEVEL: 'loud' });
  expect(await running.ended()).toBe(78);
  expect(running.output.out).toBe('');
  expect(running.output.err.split('\n')).toEqual([
    'These environment variables have to be changed:',
    expect.stringContaining('DATABASE_URL is set but blank'),
    expect.stringContaining('LOG_LEVEL is not one of the allowed values'),
    '',
  ]);
});
