// The doctor asked two ways: as people run it, in a process of its own, and directly, which is quicker.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { Controls } from '../../../relay/doctor/controls.ts';
import { describe, headline } from '../../../relay/doctor/describe.ts';
import type { Examination } from '../../../relay/doctor/examination.ts';
import { examine } from '../../../relay/doctor/examine.ts';
import { detectPlatform } from '../../../relay/doctor/platform.ts';
import { readSettings } from '../../../relay/doctor/settings.ts';
import { type Provider, startProvider } from '../../kit/provider.ts';

export const password = 'p4ss-Word-Zebra-17';

export type Variables = Readonly<Record<string, string | undefined>>;

/** What a relay needs besides the provider; their values must never show. */
const ownVariables = {
  DATABASE_URL: 'postgres://postern:database-secret-77@127.0.0.1:9/postern',
  RELAY_PASSWORD: 'relay-secret-4711',
};

/** All that must never show, in all the ways it could. */
const secretForms = [password, ...Object.values(ownVariables), 'database-secret-77'].flatMap((secret) => [
  secret,
  Buffer.from(secret).toString('base64'),
  Buffer.from(`\0mailer@mail.test\0${secret}`).toString('base64'),
]);

/** Every output of the doctor passes here. */
export function expectNoSecret(output: string): void {
  for (const secret of secretForms) expect(output).not.toContain(secret);
}

export function providerForTests(wishes: Parameters<typeof startProvider>[0] = {}): Promise<Provider> {
  return startProvider({ users: { 'mailer@mail.test': password }, ...wishes });
}

export type Advice = {
  readonly examination: Examination;
  readonly firstLine: string;
  /** Everything it would print, as text and as JSON. */
  readonly output: string;
};

/** Asks directly. Undefined variables are left out; nobody but the provider is contacted unless `controls` say so. */
export async function consult(environment: Variables, controls: Controls | false = false): Promise<Advice> {
  const source = { ...ownVariables, ...environment };
  const platform = detectPlatform(source, { inContainer: false });
  const reading = readSettings(source, platform.id);
  const examination = await examine({ reading, platform, controls });
  const text = describe(examination, { colour: false });
  return { examination, firstLine: headline(examination), output: `${text}\n${JSON.stringify(examination)}` };
}

export type Run = { readonly code: number | null; readonly output: string };

const script = fileURLToPath(new URL('../../../relay/doctor/main.ts', import.meta.url));

/** Runs the command in a folder that holds nothing but `dotEnv`. */
export async function runDoctor(
  environment: Variables,
  args: readonly string[] = [],
  { dotEnv, prefix = [] }: { dotEnv?: string; prefix?: readonly string[] } = {},
): Promise<Run> {
  const folder = await mkdtemp(join(tmpdir(), 'postern-doctor-'));
  try {
    if (dotEnv !== undefined) await writeFile(join(folder, '.env'), dotEnv);
    const given = Object.entries({ PATH: process.env.PATH, ...ownVariables, ...environment });
    const [command = process.execPath, ...rest] = [...prefix, process.execPath, script, ...args];
    const child = spawn(command, rest, {
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
    return { code, output };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
