// What processes cost, as Linux counts it (proc(5)): CPU time of a process and all that it started, and memory.
import { readdirSync, readFileSync } from 'node:fs';
import type { TestDatabase } from '../kit/database.ts';

/** USER_HZ, which is 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

/**
 * CPU milliseconds that the process and its descendants have used, those included that have ended and were waited for.
 */
export function cpuMsOf(root: number): number {
  const processes = new Map(
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => statOf(Number(name)) ?? [])
      .map((stat) => [stat.pid, stat]),
  );
  const isOurs = (pid: number): boolean =>
    pid === root || (processes.has(pid) && isOurs(processes.get(pid)?.parent ?? 0));
  let ticks = 0;
  for (const [pid, stat] of processes) if (isOurs(pid)) ticks += stat.ticks;
  return (ticks * 1_000) / ticksPerSecond;
}

type Stat = { readonly pid: number; readonly parent: number; readonly ticks: number };

function statOf(pid: number): Stat | undefined {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name before this may hold spaces and brackets. Then: state, parent, …; utime, stime, cutime, cstime.
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return { pid, parent: Number(fields[1]), ticks };
  } catch {
    return undefined;
  }
}

/** Megabytes of memory that are the process's own, and its share of what it has together with others. */
export function pssMbOf(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1]) / 1024;
}

/** The process of a server of our own that all its others come from. */
export async function postmasterOf({ query }: TestDatabase): Promise<number> {
  const { rows } = await query<{ pid: string }>(
    "select split_part(pg_read_file('postmaster.pid'), E'\\n', 1) as pid",
  );
  return Number(rows[0]?.pid);
}
