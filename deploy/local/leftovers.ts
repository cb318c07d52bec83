// Who runs from the folder .postern/: written down at every start of a process, so that none outlives its
// `npm start`, however that ended.
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { findProcess } from './process-table.ts';

/** A process and a piece of its command line, by which a recycled number is told from the process it was. */
export type Remembered = { readonly pid: number; readonly command: string };
export type RunRecord = { readonly owner: Remembered; readonly children: Remembered[] };

export const recordFile = (folder: string) => join(folder, 'running.json');

/** undefined when nothing runs from this folder, as far as anybody wrote down. */
export async function readRecord(file: string): Promise<RunRecord | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as RunRecord;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    // Half a file: whoever wrote it was killed while writing, before it had started anything.
    if (error instanceof SyntaxError) return { owner: { pid: 0, command: '' }, children: [] };
    throw error;
  }
}

/** Ends what an `npm start` that is gone left running, and gives the folder back. */
export async function endLeftovers(file: string, record: RunRecord): Promise<void> {
  // Newest first, as at a regular stop; SIGINT is what both our processes and PostgreSQL understand as "stop".
  for (const child of record.children.toReversed()) {
    if (!(await isRunning(child))) continue;
    console.log(`Ending ${child.command} (process ${child.pid}), which an earlier start left behind`);
    signal(child, 'SIGINT');
    for (let tries = 0; tries < 100 && (await isRunning(child)); tries++) await pause(100);
    if (await isRunning(child)) signal(child, 'SIGKILL');
  }
  await rm(file, { force: true });
}

export async function isRunning({ pid, command }: Remembered): Promise<boolean> {
  return pid > 0 && ((await findProcess(pid))?.command ?? '').includes(command);
}

/** It may end between the look and the signal. */
function signal({ pid }: Remembered, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
