import { appendFile, chmod, cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { processesOf } from '../../deploy/local/watch.ts';
import { startProcess } from '../kit/process.ts';
import { until } from '../kit/until.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('a changed file restarts', () => {
  test.each([
    ['api/dashboard/pages/main.js', ['api']],
    ['worker/drain.ts', ['worker']],
    ['relay/verdict/verdict.ts', ['relay']],
    ['relay/client/compose.ts', ['api', 'relay', 'worker']],
    ['deploy/log.ts', ['api', 'relay', 'worker']],
    ['relay/stand-in/main.ts', ['stand-in']],
    ['deploy/local/plan.ts', []],
    ['deploy/local.ts', []],
    ['deploy/migrations/001-first.sql', []],
    ['deploy/README.md', []],
    ['api/main.ts~', []],
  ])('%s: %j', (path, names) => expect(processesOf(path)).toEqual(names));
});

describe('npm run dev', () => {
  let checkout: string;

  beforeAll(async () => {
    checkout = await mkdtemp(join(tmpdir(), 'postern-dev-'));
    // PostgreSQL runs as another account where we are root, and must be able to get there.
    await chmod(checkout, 0o755);
    for (const name of ['api', 'relay', 'worker', 'deploy', 'package.json']) {
      await cp(join(root, name), join(checkout, name), { recursive: true });
    }
    await symlink(join(root, 'node_modules'), join(checkout, 'node_modules'));
  });

  afterAll(async () => rm(checkout, { recursive: true, force: true }));

  test('restarts only the process whose file changes, and waits for the next change when it cannot start', async () => {
    await using dev = await startProcess({ script: join(checkout, 'deploy/local.ts'), args: ['--watch'] });
    await until(() => dev.output.includes('Postern is running.') || dev.exit, {
      timeoutMs: 60_000,
      what: 'npm run dev to be ready',
    });
    const before = await processes();
    const main = join(checkout, 'api/main.ts');

    // Each change is one write: a file that is written anew is an empty one first, and on a busy machine its process
    // would be started with that as well.
    await appendFile(main, '\n/* a comment without an end\n');
    await until(() => /api +ended \(exit code 1\), starting it again when a file changes/.test(dev.output), {
      timeoutMs: 30_000,
      what: 'the api to end because of a syntax error',
    });

    await appendFile(main, "*/\nconsole.log('the new code runs');\n");
    await until(() => /api +the new code runs/.test(dev.output), {
      timeoutMs: 30_000,
      what: 'the api to run the new code',
    });

    // One api that could not start and one that could; nothing else was started a second time.
    expect((await processes()).slice(before.length)).toEqual(['api/main.ts', 'api/main.ts']);
    expect(before.toSorted()).toEqual([
      'api/main.ts',
      'postgres',
      'relay/main.ts',
      'relay/stand-in/main.ts',
      'worker/main.ts',
    ]);
  }, 150_000);

  /** Everything that was started so far, in this order. */
  async function processes(): Promise<string[]> {
    const record = await readFile(join(checkout, '.postern', 'running.json'), 'utf8');
    const { children } = JSON.parse(record) as { children: { command: string }[] };
    return children.map(({ command }) => command.replace(`${checkout}/`, ''));
  }
});
