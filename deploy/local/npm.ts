// Ctrl-C reaches us through the terminal. A kill of npm does not: it ends npm and the shell in between and would leave
// us running with nobody to stop us.
import { findProcess, isAlive } from './process-table.ts';

const lookEveryMs = 500;
// npm, the shell that it starts, and us; a wrapper or two may stand between.
const mostAncestors = 4;

/**
 * Calls `onGone` once when the npm that started us has ended. Does nothing when it was not npm. The timer never keeps
 * the process alive.
 */
export async function watchNpm(environment: NodeJS.ProcessEnv, onGone: () => void): Promise<void> {
  if (environment.npm_lifecycle_event === undefined) return;
  const npm = await findNpm();
  if (npm === undefined) return;
  const timer = setInterval(() => {
    if (isAlive(npm)) return;
    clearInterval(timer);
    onGone();
  }, lookEveryMs);
  timer.unref();
}

async function findNpm(): Promise<number | undefined> {
  let pid = process.ppid;
  for (let depth = 0; depth < mostAncestors && pid > 1; depth++) {
    const found = await findProcess(pid);
    if (!found) return undefined;
    if (/\bnpm(?:-cli\.js|\.cmd|\.exe)?(?:\s|$|")/.test(found.command)) return pid;
    pid = found.parent;
  }
  return undefined;
}
