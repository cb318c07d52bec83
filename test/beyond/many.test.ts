// Many processes on one database, killed and replaced at random while mail flows over SMTP, the API and the schedule,
// to a provider that takes no connection too many. Longer, and with another seed:
//
//   TEST_RUNS=5000 npm test -- test/beyond/many.test.ts
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { runs, seed } from '../kit/thoroughness.ts';

const run = promisify(execFile);

test('4 relays, 4 workers and 3 apis keep every promise and the limit of the provider', async () => {
  const mails = runs(500);
  const flags = [
    ...['--relays', '4', '--workers', '4', '--apis', '3', '--only-kills'],
    ...['--messages', String(mails), '--rate', '25', '--seed', String(seed())],
  ];
  const said = await run(process.execPath, ['test/prove/main.ts', ...flags], { maxBuffer: 64 * 1024 * 1024 })
    .then(({ stdout }) => ({ code: 0, stdout }))
    .catch(({ code, stdout, stderr }) => ({ code, stdout: `${stdout}${stderr}` }));
  console.info(said.stdout);
  expect(said, said.stdout).toMatchObject({ code: 0 });
  expect(said.stdout).toMatch(/(api|relay|worker) SIGKILL [1-9]/);
}, 600_000);
