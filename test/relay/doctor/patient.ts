// The doctor as people run it: its own process, its own environment, and what it said.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Examination } from '../../../relay/doctor/examination.ts';

export type Visit = {
  readonly code: number | null;
  readonly output: string;
  readonly firstLine: string;
};

const script = fileURLToPath(new URL('../../../relay/doctor/main.ts', import.meta.url));

/** What a relay needs besides the provider; their values must never show. */
export const ownVariables = {
  DATABASE_URL: 'postgres://postern:database-secret-77@127.0.0.1:9/postern',
  RELAY_PASSWORD: 'relay-secret-4711',
};

/** Runs the doctor in an empty folder, so that no .env of a developer is read. Undefined variables are left out. */
export async function seeDoctor(
  environment: Readonly<Record<string, string | undefined>>,
  args: readonly string[] = [],
): Promise<Visit> {
  const folder = await mkdtemp(join(tmpdir(), 'postern-doctor-'));
  try {
    const given = Object.entries({ PATH: process.env.PATH, ...ownVariables, ...environment });
    const child = spawn(process.execPath, [script, ...args], {
      cwd: folder,
      env: Object.fromEntries(given.filter((entry): entry is [string, string] => entry[1] !== undefined)),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, output, firstLine: output.split('\n')[0] ?? '' };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The same for machines. */
export async function seeDoctorJson(
  environment: Readonly<Record<string, string | undefined>>,
  args: readonly string[] = [],
): Promise<Visit & { readonly examination: Examination }> {
  const visit = await seeDoctor(environment, ['--json', ...args]);
  return { ...visit, examination: JSON.parse(visit.output) as Examination };
}
