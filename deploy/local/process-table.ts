// What the operating system knows about other processes: their command line and their parent. Linux has /proc, other
// Unix systems have ps, Windows has CIM.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

export type ListedProcess = { readonly parent: number; readonly command: string };

/** undefined when there is no such process. */
export async function findProcess(pid: number): Promise<ListedProcess | undefined> {
  if (!isAlive(pid)) return undefined;
  if (process.platform === 'win32') return fromWindows(pid);
  return (await fromProc(pid)) ?? (await fromPs(pid));
}

/** A number may have been given to another process since: see `findProcess` for what it is now. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It exists and belongs to another account.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function fromProc(pid: number): Promise<ListedProcess | undefined> {
  try {
    const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ');
    // The second field is the name in parentheses and may itself hold blanks and parentheses (proc(5)).
    const [state, parent] = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /s, '').split(' ');
    // A zombie has ended; only its parent has not asked how.
    return state === 'Z' ? undefined : { parent: Number(parent), command };
  } catch {
    return undefined;
  }
}

async function fromPs(pid: number): Promise<ListedProcess | undefined> {
  const listed = await run('ps', ['-o', 'ppid=,args=', '-p', String(pid)]);
  const [, parent, command] = /^\s*(\d+)\s+(.*)$/m.exec(listed) ?? [];
  return parent === undefined || command === undefined ? undefined : { parent: Number(parent), command };
}

async function fromWindows(pid: number): Promise<ListedProcess | undefined> {
  const listed = await run('powershell.exe', [
    '-NoProfile',
    '-Command',
    `Get-CimInstance Win32_Process -Filter 'ProcessId=${pid}' | Select-Object ParentProcessId,CommandLine | ConvertTo-Json`,
  ]);
  if (!listed.trim()) return undefined;
  const found = JSON.parse(listed) as { ParentProcessId: number; CommandLine: string | null };
  return { parent: found.ParentProcessId, command: found.CommandLine ?? '' };
}

/** Empty when the program is not there or finds nothing. */
async function run(program: string, argumentList: string[]): Promise<string> {
  const result = await promisify(execFile)(program, argumentList).catch(() => undefined);
  return result?.stdout ?? '';
}
