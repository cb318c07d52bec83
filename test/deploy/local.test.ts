import { execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readable } from '../../deploy/local/log-line.ts';
import { type RunningProcess, startProcess } from '../kit/process.ts';
import { until } from '../kit/until.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-local-'));
  // PostgreSQL runs as another account where we are root, and must be able to get there.
  await chmod(folder, 0o755);
});

afterAll(async () => rm(folder, { recursive: true, force: true }));

async function startLocal(wishes: { folder?: string; timeoutMs?: number } = {}): Promise<RunningProcess> {
  const local = await startProcess({
    script: 'deploy/local.ts',
    args: ['--folder', wishes.folder ?? folder],
  });
  await until(() => local.output.includes('Postern is running.') || local.exit, {
    timeoutMs: wishes.timeoutMs ?? 60_000,
    what: 'npm start to be ready',
  });
  if (local.exit) throw new Error(local.output);
  return local;
}

const told = (local: RunningProcess, label: string) =>
  new RegExp(`^ +${label} +(\\S+)`, 'm').exec(local.output)?.[1] ?? `(no ${label} in the output)`;

async function api(local: RunningProcess, path: string) {
  const response = await fetch(told(local, 'API') + path, {
    headers: { Authorization: `Bearer ${told(local, 'API key')}` },
  });
  // biome-ignore lint/suspicious/noExplicitAny: the test asserts its shape
  return (await response.json()) as any;
}

async function mails(local: RunningProcess): Promise<{ recipients: string[]; tls: string }[]> {
  const response = await fetch(`${told(local, 'Mail')}/mail.json`);
  return (await response.json()) as { recipients: string[]; tls: string }[];
}

async function runningProcesses(): Promise<{
  owner: { pid: number };
  children: { pid: number; command: string }[];
}> {
  return JSON.parse(await readFile(join(folder, 'running.json'), 'utf8'));
}

/** An orphan that has ended may stay in the list of processes until somebody asks how it ended. */
const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    const status = `/proc/${pid}/status`;
    return !existsSync(status) || !/^State:\s+Z/m.test(readFileSync(status, 'utf8'));
  } catch {
    return false;
  }
};

describe.sequential('npm start', () => {
  test('runs everything: the curl it prints sends an invitation over TLS, once', async () => {
    await using local = await startLocal();
    const curl = /^ {2}curl [\s\S]*?'$(?=\n\n)/m.exec(local.output)?.[0] ?? '';
    const { stdout } = await promisify(execFile)('sh', ['-c', curl]);
    const { invitation } = JSON.parse(stdout);
    await until(async () => (await api(local, `/api/v1/emails/${invitation.email_id}`)).status === 'sent', {
      what: 'the invitation to be sent',
    });
    expect(await mails(local)).toEqual([
      expect.objectContaining({ recipients: ['ann@example.com'], tls: 'implicit' }),
    ]);
  }, 90_000);

  test('finds everything as it was at the next start, with the same key', async () => {
    await using local = await startLocal();
    const { data } = await api(local, '/api/customers');
    expect(data).toEqual([expect.objectContaining({ email: 'office@example.com' })]);
    expect(await mails(local)).toHaveLength(1);
  }, 90_000);

  test('says whose folder it is when it is started twice', async () => {
    await using local = await startLocal();
    const second = await startProcess({ script: 'deploy/local.ts', args: ['--folder', folder] });
    expect(await second.exited).toMatchObject({ code: 1 });
    expect(second.output).toContain(`Postern already runs from this folder (process ${local.pid})`);
  }, 90_000);

  test('starts a process again that has died, as a platform does', async () => {
    await using local = await startLocal();
    const { children } = await runningProcesses();
    const worker = children.find(({ command }) => command.endsWith('worker/main.ts'));
    process.kill(worker?.pid ?? 0, 'SIGKILL');
    await until(
      () => /worker +ended \(SIGKILL\), starting it again[\s\S]*Email scheduler started/.test(local.output),
      {
        what: 'the worker to be started again',
      },
    );
  }, 90_000);

  test('leaves nothing behind when it is stopped, nor when it is killed', async () => {
    const killed = await startLocal();
    const { children } = await runningProcesses();
    killed.kill('SIGKILL');
    await killed.exited;
    await until(() => children.every(({ pid }) => !isAlive(pid)), {
      timeoutMs: 45_000,
      what: 'the processes of a killed npm start to end by themselves',
    });

    const local = await startLocal();
    const { children: own } = await runningProcesses();
    expect(own).toHaveLength(5);
    expect(await local.stop()).toMatchObject({ code: 0 });
    expect(own.filter(({ pid }) => isAlive(pid))).toEqual([]);
  }, 150_000);

  test('ends what an earlier start left running, also where its watchdog was killed', async () => {
    const left = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' });
    const record = {
      owner: { pid: 0, command: 'deploy/local.ts' },
      children: [{ pid: left.pid, command: 'setInterval' }],
    };
    await writeFile(join(folder, 'running.json'), JSON.stringify(record));
    await using local = await startLocal();
    expect(left.signalCode).toBe('SIGINT');
    expect(local.output).toContain(`Ending setInterval (process ${left.pid})`);
  }, 90_000);

  test('stops when the npm that runs it is killed', async () => {
    const npm = spawn('npm', ['start', '--', '--folder', folder], {
      cwd: root,
      env: { ...process.env, LOG_LEVEL: 'info' },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let output = '';
    npm.stdout.on('data', (chunk) => {
      output += chunk;
    });
    await until(() => output.includes('Postern is running.'), {
      timeoutMs: 60_000,
      what: 'npm start to be ready',
    });
    const { owner, children } = await runningProcesses();
    npm.kill('SIGKILL');
    await until(() => [owner, ...children].every(({ pid }) => !isAlive(pid)), {
      timeoutMs: 45_000,
      what: 'everything that npm started to end',
    });
  }, 150_000);

  test('three starts at the same moment have ports of their own, and each prints the address it has', async () => {
    const folders = await Promise.all([1, 2, 3].map(() => mkdtemp(join(tmpdir(), 'postern-local-'))));
    await Promise.all(folders.map((each) => chmod(each, 0o755)));
    await using starts = new AsyncDisposableStack();
    const locals = await Promise.all(
      folders.map(async (each) => starts.use(await startLocal({ folder: each, timeoutMs: 120_000 }))),
    );
    expect(new Set(locals.map((local) => told(local, 'API'))).size).toBe(3);
    const keys = await Promise.all(locals.map((local) => api(local, '/api/customers')));
    expect(keys).toEqual(locals.map(() => expect.objectContaining({ data: [] })));
    expect(locals.map(({ output }) => output).join('')).not.toContain('EADDRINUSE');
    await starts.disposeAsync();
    await Promise.all(folders.map((each) => rm(each, { recursive: true })));
  }, 240_000);

  test('never takes another port than the one it was told', async () => {
    await using local = await startLocal();
    const taken = new URL(told(local, 'API')).port;
    const other = await mkdtemp(join(tmpdir(), 'postern-local-'));
    await chmod(other, 0o755);
    const second = await startProcess({
      script: 'deploy/local.ts',
      args: ['--folder', other],
      environment: { API_PORT: taken },
    });
    expect(await second.exited).toMatchObject({ code: 1 });
    expect(second.output).toContain(`API_PORT is ${taken}, but something else listens there`);
    await rm(other, { recursive: true });
  }, 90_000);

  test('ends, and shows what its process said, when a setting of ours makes no sense', async () => {
    const local = await startProcess({
      script: 'deploy/local.ts',
      args: ['--folder', folder],
      environment: { RETENTION_ROWS: 'for ever' },
    });
    expect(await local.exited).toMatchObject({ code: 1 });
    expect(local.output).toMatch(/worker +RETENTION_ROWS /);
    expect(local.output).toContain('worker ended (exit code 78)');
  }, 90_000);
});

describe('a log line', () => {
  test.each([
    [
      '{"level":"info","time":"…","process":"relay","msg":"Mail queued","queueId":"4X"}',
      'Mail queued queueId=4X',
    ],
    ['{"level":"warn","msg":"Deferred","reply":"452 4.2.2 full"}', 'WARN Deferred reply="452 4.2.2 full"'],
    [
      '{"level":"error","msg":"Failed","err":{"message":"no route","stack":"Error: no route\\n    at x"}}',
      'ERROR Failed Error: no route\n    at x',
    ],
    ['{"msg":"Ready","routes":["a","b"]}', 'Ready routes=["a","b"]'],
    ['not JSON', 'not JSON'],
    ['{broken', '{broken'],
  ])('%s reads %s', (line, words) => expect(readable(line)).toBe(words));
});
