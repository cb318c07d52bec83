// .postern/ belongs to one `npm start` at a time; what a killed one left running is ended first.
import { writeFile } from 'node:fs/promises';
import { endLeftovers, isRunning, type RunRecord, readRecord, recordFile } from './leftovers.ts';
import { Trouble } from './trouble.ts';

export type Claim = AsyncDisposable & {
  /** A child that must not outlive us. */
  remember(pid: number, command: string): void;
};

/** Takes the folder until disposed. Throws a Trouble when another `npm start` has it. */
export async function claimFolder(folder: string): Promise<Claim> {
  const file = recordFile(folder);
  const before = await readRecord(file);
  if (before) {
    if (await isRunning(before.owner)) {
      throw new Trouble(
        `Postern already runs from this folder (process ${before.owner.pid}). Stop it first with Ctrl-C in its terminal.`,
      );
    }
    await endLeftovers(file, before);
  }

  const record: RunRecord = { owner: { pid: process.pid, command: 'deploy/local.ts' }, children: [] };
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
      await endLeftovers(file, record);
    },
  };
}
