// .postern/ belongs to one `npm start` at a time; what a killed one left running is ended first.
import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Trouble } from './trouble.ts';

/** A process and a piece of its command line, by which a recycled number is told from the process it was. */
type Remembered = { readonly pid: number; readonly command: string };
type Record = { readonly owner: Remembered; readonly children: Remembered[] };

export type Claim = AsyncDisposable & {
  /** A child that must not outlive us. */
  remember(pid: number, command: string): void;
};

/** Takes the folder until disposed. Throws a Trouble when another `npm start` has it. */
export async function claimFolder(folder: string): Promise<Claim> {
  const file = join(folder, 'running.json');
  const before = await readRecord(file);
  if (before) {
    if (await isRunning(before.owner)) {
      throw new Trouble(
        `Postern already runs from this folder (process ${before.owner.pid}). Stop it first with Ctrl-C in its terminal.`,
      );
    }
    await endAll(before.children);
    await rm(file, { force: true });
  }

  const record: Record = { owner: { pid: process.pid, command: 'deploy/local.ts' }, children: [] };
  // Exclusive: of two that start at the same moment, one fails here.
  await writeFile(file, JSON.stringify(record), { flag: 'wx' });
  let written = Promise.resolve();
  return {
    remember(pid, command) {
      record.children.push({ pid, command });
      const text = JSON.stringify(record);
      written = written.then(() => writeFile(file, text)).catch(() => {});
    },
    async [Symbol.asyncDispose]() {
      await written;
      await rm(file, { force: true });
    },
  };
}

async function readRecord(file: string): Promise<Record | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Record;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    // Half a file: whoever wrote it was killed while writing, before it had started anything.
    if (error instanceof SyntaxError) return { owner: { pid: 0, command: '' }, children: [] };
    throw error;
  }
}

async function endAll(children: Remembered[]): Promise<void> {
  // Newest first, as at a regular stop; SIGINT is what both our processes and PostgreSQL understand as "stop".
  for (const child of children.toReversed()) {
    if (!(await isRunning(child))) continue;
    console.log(`Ending ${child.command} (process ${child.pid}), which an earlier start left behind`);
    process.kill(child.pid, 'SIGINT');
    for (let tries = 0; tries < 100 && (await isRunning(child)); tries++) await pause(100);
    if (await isRunning(child)) process.kill(child.pid, 'SIGKILL');
  }
}

async function isRunning({ pid, command }: Remembered): Promise<boolean> {
  return pid > 0 && ((await commandOf(pid)) ?? '').includes(command);
}

/** undefined when there is no such process. */
async function commandOf(pid: number): Promise<string | undefined> {
  try {
    process.kill(pid, 0);
  } catch {
    return undefined;
  }
  try {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ');
  } catch {
    // Not Linux.
    const listed = await promisify(execFile)('ps', ['-o', 'args=', '-p', String(pid)]).catch(() => undefined);
    return listed?.stdout;
  }
}
