// A real Exim hands its mail to us. It sends QUIT with the final dot and ends its sending side; who does not answer
// then gets every mail twice. The program is unpacked beside the system, because its package removes Postfix.
import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAuthority } from '../../kit/certificate.ts';
import { freePort } from '../../kit/ports.ts';
import type { Stack } from '../../kit/stack.ts';
import { until } from '../../kit/until.ts';
import { startRelay } from './submitting.ts';

const run = promisify(execFile);
const program = process.env.EXIM ?? '/opt/exim/usr/sbin/exim4';
const noExim =
  process.getuid?.() === 0
    ? await run(program, ['-C', '/dev/null', '-bV']).then(
        () => undefined,
        () => 'Exim is not there (.ci/run unpacks exim4-daemon-light; EXIM names the program)',
      )
    : 'Exim can only be started by root';
if (noExim) console.info(`Skipping the tests with Exim: ${noExim}.`);

let directory: string;
let stack: Stack;
beforeAll(async () => {
  if (noExim) return;
  directory = await mkdtemp(join(tmpdir(), 'postern-exim-'));
  await chmod(directory, 0o755);
  const authority = await createAuthority();
  const { cert, key } = await authority.issue();
  for (const [name, content] of Object.entries({ ca: authority.cert, cert, key })) {
    await writeFile(join(directory, `${name}.pem`), content);
  }
  stack = await startRelay({
    relay: {
      DELIVERY_MODE: 'deliver',
      RELAY_TLS_CERT_FILE: join(directory, 'cert.pem'),
      RELAY_TLS_KEY_FILE: join(directory, 'key.pem'),
    },
  });
});
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  if (directory) await rm(directory, { recursive: true });
});

/** The settings of the page, with our port and login, in a home of its own. */
async function settle(name: string, secure: boolean) {
  const home = join(directory, name);
  const { user, password } = stack.relay.application;
  const { stdout } = await run('id', ['-u', 'Debian-exim']);
  for (const place of ['', 'spool', 'log']) {
    await mkdir(join(home, place));
    await chown(join(home, place), Number(stdout), Number(stdout));
  }
  const page = await readFile(join(import.meta.dirname, '../../../deploy/use-it-from/exim.conf'), 'utf8');
  const write = async (port: number) => {
    const settings = page
      .replaceAll('postern-relay::2525', `127.0.0.1::${port}`)
      .replaceAll('^shop^change-me', `^${user}^${password}`)
      .replace(
        '  # hosts_require_tls = *    # once the relay has a certificate',
        secure
          ? `  hosts_require_tls = *\n  tls_verify_certificates = ${directory}/ca.pem\n  tls_verify_cert_hostnames =`
          : '  hosts_avoid_tls = *',
      );
    const lines = [
      'primary_hostname = cron.example.com',
      `exim_path = ${program}`,
      `spool_directory = ${home}/spool`,
      `log_file_path = ${home}/log/%slog`,
      'never_users =',
      'keep_environment =',
      settings,
      'begin retry',
      '* * F,1h,1s',
      '',
    ];
    await writeFile(join(home, 'exim.conf'), lines.join('\n'));
  };
  const exim = (...args: string[]) => run(program, ['-C', join(home, 'exim.conf'), ...args]);
  const waiting = async () => {
    const { stdout: count } = await exim('-bpc');
    return Number(count);
  };
  return { home, write, exim, waiting };
}

async function log(home: string): Promise<string> {
  const names = await readdir(join(home, 'log'));
  return (await Promise.all(names.map((name) => readFile(join(home, 'log', name), 'utf8')))).join('\n');
}

test.skipIf(noExim).each([
  ['in clear', false],
  ['over STARTTLS', true],
])(
  'Exim %s delivers at once, and at its second attempt, each mail once',
  async (name, secure) => {
    const { home, write, exim, waiting } = await settle(name.replaceAll(' ', '-'), secure);
    const submit = async (id: string) => {
      const sending = exim('-odf', '-f', 'ann@example.com', 'bob@example.net');
      const fields = ['From: ann@example.com', `Message-ID: <${id}@example.com>`, 'Subject: cron'];
      sending.child.stdin?.end(`${fields.join('\n')}\n\ndone\n`);
      await sending;
    };
    const id = `exim-${secure}`;
    await write(stack.relay.port);
    await submit(`${id}-first`);
    expect(await waiting(), await log(home)).toBe(0);

    await write(await freePort());
    await submit(`${id}-deferred`);
    expect(await waiting()).toBe(1);
    await write(stack.relay.port);
    await exim('-qff');
    expect(await waiting(), await log(home)).toBe(0);
    await exim('-qff');

    for (const each of ['first', 'deferred']) {
      const messageId = `${id}-${each}@example.com`;
      await until(() => stack.provider.copiesOf(messageId)[0], { what: messageId });
      const { rows } = await stack.database.query<{ n: number }>(
        'select count(*)::int as n from message where message_id like $1',
        [`%${messageId}%`],
      );
      expect(rows[0]?.n).toBe(1);
      expect(stack.provider.copiesOf(messageId)).toHaveLength(1);
    }
  },
  60_000,
);
