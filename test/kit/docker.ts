// Whether this machine has a Docker engine; without one the container suites say so and step aside.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Asks the engine that the docker command would use; an engine that needs more than 5 s counts as absent. */
export async function dockerEngine(): Promise<{ answers: true } | { answers: false; reason: string }> {
  try {
    await promisify(execFile)('docker', ['version', '--format', '{{.Server.Version}}'], { timeout: 5_000 });
    return { answers: true };
  } catch (error) {
    const { code, stderr } = error as NodeJS.ErrnoException & { stderr?: string };
    if (code === 'ENOENT') return { answers: false, reason: 'there is no docker command' };
    return { answers: false, reason: stderr?.trim().split('\n').at(-1) || 'no Docker engine answers' };
  }
}
