// One process of the local run: started in a session of its own, its log lines made readable, started again when
// it dies as a platform would do it, and ended with SIGTERM.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { readable } from './log-line.ts';
import { Trouble } from './trouble.ts';

export type Child = AsyncDisposable & {
  /** Resolves when the address answers 200. Throws a Trouble when it does not within 60 seconds. */
  ready(url: string): Promise<void>;
  /** Ends it and starts it again. Several calls in a short time restart it once. */
  restart(why: string): void;
};

// runProcess gives itself 25 s to stop.
const stopPatienceMs = 27_000;
const readyPatienceMs = 60_000;
const restartAfterMs = 1_000;
// An editor that saves, or a checkout of another branch, changes many files at once.
const settleMs = 100;

/**
 * Starts `node SCRIPT FLAGS…`. Its raw output goes to FOLDER/log/NAME.log, the readable one to ours. A process
 * that dies is started again after a second, or, with `waitsForChange`, at the next `restart`. Before it was first
 * ready, or when it says that its settings are wrong (exit 78, EX_CONFIG), `onGiveUp` hears why instead.
 *
 * Long because its small functions share the state of one child process.
 */
export async function startChild({
  name,
  script,
  flags,
  environment,
  folder,
  isNoise = () => false,
  waitsForChange = false,
  onSpawn,
  onGiveUp,
}: {
  name: string;
  script: string;
  flags: readonly string[];
  environment: Readonly<Record<string, string | undefined>>;
  folder: string;
  /** Lines for the log file only. */
  isNoise?: (line: string) => boolean;
  /** After an end that nobody asked for: code that is being edited would only end again. */
  waitsForChange?: boolean;
  onSpawn: (pid: number, command: string) => void;
  onGiveUp: (words: string) => void;
}): Promise<Child> {
  await mkdir(join(folder, 'log'), { recursive: true });
  const logFile = join(folder, 'log', `${name}.log`);
  const rawLog = createWriteStream(logFile);
  let child: ChildProcess;
  let wasReady = false;
  let lostItsPort = false;
  let isStopping = false;
  let isRestarting = false;
  let settling: NodeJS.Timeout | undefined;

  function launch(): void {
    child = spawn(process.execPath, [script, ...flags], {
      env: environment,
      detached: process.platform !== 'win32',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    if (child.pid !== undefined) onSpawn(child.pid, script);
    show(child.stdout as Readable);
    show(child.stderr as Readable);
    child.once('error', (error) => onGiveUp(`${name} could not be started: ${error.message}`));
    child.once('exit', (code, signal) => void afterExit(code, signal));
  }

  async function afterExit(code: number | null, signal: NodeJS.Signals | null): Promise<void> {
    if (isStopping) return;
    if (lostItsPort) {
      return onGiveUp(
        `${name} could not listen: another program has taken its port since npm start chose it. Start again.`,
      );
    }
    if (isRestarting) {
      isRestarting = false;
      return launch();
    }
    const end = signal ?? `exit code ${code}`;
    if (!wasReady || code === 78)
      return onGiveUp(`${name} ended (${end}). Its last output is above and in ${logFile}.`);
    if (waitsForChange) {
      console.log(`${column(name)} ended (${end}), starting it again when a file changes`);
      return;
    }
    console.log(`${column(name)} ended (${end}), starting it again`);
    await pause(restartAfterMs);
    if (!isStopping) launch();
  }

  function show(output: Readable): void {
    createInterface({ input: output }).on('line', (line) => {
      rawLog.write(`${line}\n`);
      lostItsPort ||= line.includes('EADDRINUSE');
      const words = isNoise(line) ? '' : readable(line);
      if (words) console.log(`${column(name)} ${words}`);
    });
  }

  async function restart(why: string): Promise<void> {
    if (isStopping || isRestarting) return;
    console.log(`${column(name)} restarting: ${why}`);
    if (hasEnded(child)) return launch();
    isRestarting = true;
    await end(child);
  }

  const lastResort = () => child.kill('SIGKILL');
  process.once('exit', lastResort);
  launch();

  return {
    async ready(url) {
      const deadline = performance.now() + readyPatienceMs;
      while (!(await answersOk(url))) {
        if (isStopping) return;
        if (performance.now() > deadline) {
          throw new Trouble(
            `${name} was not ready within ${readyPatienceMs / 1000} s; its log is ${logFile}.`,
          );
        }
        await pause(50);
      }
      wasReady = true;
    },
    restart(why) {
      clearTimeout(settling);
      settling = setTimeout(() => void restart(why), settleMs);
    },
    async [Symbol.asyncDispose]() {
      isStopping = true;
      clearTimeout(settling);
      process.removeListener('exit', lastResort);
      if (!hasEnded(child)) await end(child);
      rawLog.end();
    },
  };
}

const hasEnded = ({ pid, exitCode, signalCode }: ChildProcess) =>
  pid === undefined || exitCode !== null || signalCode !== null;

async function end(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const tooLate = setTimeout(() => child.kill('SIGKILL'), stopPatienceMs);
  await gone;
  clearTimeout(tooLate);
}

const column = (name: string) => name.padEnd(12);

async function answersOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
