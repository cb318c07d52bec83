// What a container's process is started with: nothing of the secrets of other processes, also where the platform gives
// all variables to all containers.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { spellings } from '../../deploy/reading.ts';
import { type Reader, variableTable } from '../../deploy/variables.ts';

const script = readFileSync(join(import.meta.dirname, '../../deploy/entrypoint.sh'), 'utf8');
const start = 'exec /usr/bin/tini -- "$@"';

/** What tini, and so Node, would find in its environment. */
function environmentOf(command: string, given: Record<string, string>): Record<string, string> {
  const text = execFileSync('sh', ['-c', script.replace(start, 'exec env -0'), 'sh', 'node', command], {
    env: { PATH: process.env.PATH, ...given },
    encoding: 'utf8',
  });
  return Object.fromEntries(
    text.split('\0').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

const everything = Object.fromEntries(
  Object.entries(variableTable).flatMap(([name, variable]) =>
    spellings(name, variable).map(({ setAs }) => [setAs, `the $value' of\n"${setAs}"`] as const),
  ),
);

test('the script starts tini with what it was given', () => {
  expect(script.trim().endsWith(start)).toBe(true);
});

test.each([
  ['api', 'api/main.ts'],
  ['relay', 'relay/main.ts'],
  ['worker', 'worker/main.ts'],
  ['migrate', 'deploy/migrate.ts'],
] satisfies [Reader, string][])(
  '%s starts with its own secrets and not with those of others',
  (reader, command) => {
    const given = { ...everything, REQUIRED_SMTP_PASSWORD: 'secret', OTHER: 'kept' };
    const found = environmentOf(command, given);
    const foreign = Object.entries(variableTable)
      .filter(([, { secret, readBy }]) => secret && !readBy.includes(reader))
      .flatMap(([name, variable]) => spellings(name, variable))
      // A path is not a secret.
      .filter(({ form }) => form !== '_FILE')
      .map(({ setAs }) => setAs);
    const removed = Object.keys(given).filter((name) => found[name] === 'removed');
    expect(removed.toSorted(), 'the names in deploy/entrypoint.sh').toEqual(foreign.toSorted());
    for (const [name, value] of Object.entries(given)) {
      if (!foreign.includes(name) && name !== 'REQUIRED_SMTP_PASSWORD') expect(found[name]).toBe(value);
    }
    expect(found.REQUIRED_SMTP_PASSWORD).toBeUndefined();
  },
);

test('what is not set, or blank, stays so', () => {
  const found = environmentOf('api/main.ts', { SMTP_PASSWORD: '' });
  expect(found.SMTP_PASSWORD).toBe('');
  expect(found.SMTP_PASS).toBeUndefined();
});
