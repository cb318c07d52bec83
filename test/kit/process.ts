// One of our processes, run as in production: its own Node, its own environment, signals and an exit code.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { keepSecretsOf, sawOutput } from './secrets.ts';
import { until } from './until.ts';

type LogLine = { readonly msg: string; readonly [field: string]: unknown };

type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

export type RunningProcess = AsyncDisposable & {
  readonly name: string;
  readonly pid: number;
  /** What it wrote, line by line; a line that is not JSON has only `msg`. */
  readonly log: readonly LogLine[];
  /** The same as text, for failure messages and for looking for secrets. */
  readonly output: string;
  /** Undefined while it lives. */
  readonly exit: Exit | undefined;
  /** Resolves when it has ended. */
  readonly exited: Promise<Exit>;
  /** Sends a signal and does not wait. */
  kill(signal: NodeJS.Signals): void;
  /** Asks it to stop (SIGTERM, after SIGCONT where a test has frozen it) and waits for its end. */
  stop(): Promise<Exit>;
};

export type ProcessWishes = {
  /** The script, from the root of the checkout, and its arguments. */
  readonly script: string;
  /** Another checkout than this one. */
  readonly directory?: string;
  readonly args?: readonly string[];
  /** Everything it sees, besides PATH: nothing of the developer's own environment leaks into a test. */
  readonly environment?: Readonly<Record<string, string>>;
  /** The address that answers 200 when it is ready; without one it counts as ready at once. */
  readonly readyUrl?: string;
  /** How long it may take to become ready; 45,000 by default, because a start is work and machines are shared. */
  readonly readyMs?: number;
};

const root = fileURLToPath(new URL('../..', import.meta.url));
/** As in the image: what Node made of the sources. The first process of a checkout fills it. */
const compiled = fileURLToPath(new URL('../../node_modules/.cache/postern', import.meta.url));
// Processes may use their full 25 s to stop; a test that has not stopped one by then has found something.
const stopMs = 27_000;
const running = new Map<ChildProcess, string>();

process.once('exit', () => {
  for (const child of running.keys()) child.kill('SIGKILL');
});

/**
 * Starts it and waits until it is ready. Disposing stops it, and fails when it does not stop by itself.
 *
 * @throws with all its output when it ends before it is ready.
 */
export async function startProcess(wishes: ProcessWishes): Promise<RunningProcess> {
  const { script, directory = root, args = [], environment = {}, readyUrl, readyMs = 45_000 } = wishes;
  const name = script.replace(/\/main\.ts$/, '');
  keepSecretsOf(environment);
  const child = spawn(process.execPath, [script, ...args], {
    cwd: directory,
    env: {
      ...(process.env.PATH ? { PATH: process.env.PATH } : {}),
      NODE_COMPILE_CACHE: compiled,
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.set(child, `${name} (pid ${child.pid})`);
  const lines: string[] = [];
  const log: LogLine[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      sawOutput(name, line);
      log.push(parse(line));
    });
  }
  let exit: Exit | undefined;
  // 'close' comes after the last line of output, 'exit' may come before it.
  const exited = once(child, 'close').then(([code, signal]): Exit => {
    running.delete(child);
    exit = { code, signal };
    return exit;
  });

  const stop = async (): Promise<Exit> => {
    if (exit) return exit;
    child.kill('SIGCONT');
    child.kill('SIGTERM');
    using alarm = killAfter(child, stopMs);
    const end = await exited;
    if (alarm.rang) throw new Error(`${name} did not stop within ${stopMs} ms:\n${lines.join('\n')}`);
    return end;
  };
  const started: RunningProcess = {
    name,
    pid: child.pid ?? 0,
    log,
    get output() {
      return lines.join('\n');
    },
    get exit() {
      return exit;
    },
    exited,
    kill: (signal) => {
      child.kill(signal);
    },
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
  if (readyUrl) await becameReady(started, readyUrl, readyMs);
  return started;
}

/** Kills what is still running, and tells its names: `leftovers.ts` turns them into a failure. */
export async function endLeftovers(): Promise<string[]> {
  const left = [...running];
  await Promise.all(
    left.map(async ([child]) => {
      const closed = once(child, 'close');
      child.kill('SIGKILL');
      await closed;
    }),
  );
  return left.map(([, name]) => name);
}

async function becameReady(started: RunningProcess, url: string, timeoutMs: number): Promise<void> {
  try {
    await until(
      async () => {
        if (started.exit) return 'ended';
        const { status } = await fetch(url, { signal: AbortSignal.timeout(2_000) });
        return status === 200;
      },
      { timeoutMs, what: `${started.name} to become ready` },
    );
    if (started.exit) throw new Error(`it ended with ${JSON.stringify(started.exit)}`);
  } catch (error) {
    started.kill('SIGKILL');
    await started.exited;
    throw new Error(`${started.name} did not become ready; its output:\n${started.output}`, { cause: error });
  }
}

function killAfter(child: ChildProcess, afterMs: number): Disposable & { readonly rang: boolean } {
  let rang = false;
  const timer = setTimeout(() => {
    rang = true;
    child.kill('SIGKILL');
  }, afterMs);
  return {
    get rang() {
      return rang;
    },
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}

function parse(line: string): LogLine {
  try {
    const parsed: unknown = JSON.parse(line);
    if (typeof parsed === 'object' && parsed !== null && 'msg' in parsed) return parsed as LogLine;
  } catch {
    // Node's own warnings and stack traces are not JSON.
  }
  return { msg: line };
}
