// Ends the processes of an `npm start` that was killed. It waits on a pipe that only `npm start` holds: the pipe ends
// when that process is gone, in whichever way. After a regular stop there is nothing left to do.
import { spawn } from 'node:child_process';
import { endLeftovers, readRecord, recordFile } from './leftovers.ts';

/** @param folder absolute; where `claimFolder` keeps its record */
export function startWatchdog(folder: string): void {
  const child = spawn(process.execPath, [import.meta.filename, folder, String(process.pid)], {
    // Not in our session: what ends us must not end it.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    windowsHide: true,
  });
  child.once('error', (error) => console.error(`The watchdog could not be started: ${error.message}`));
  child.unref();
}

if (import.meta.main) {
  const [folder = '', owner = ''] = process.argv.slice(2);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  for await (const _ of process.stdin);
  const file = recordFile(folder);
  const record = await readRecord(file);
  // Another start may have the folder by now.
  if (record?.owner.pid === Number(owner)) await endLeftovers(file, record);
}
