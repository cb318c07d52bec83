// A Postfix of one's own beside ours: same machine, same disk, same sender, tuned as far as its manual goes, in a
// directory that is removed afterwards.
import { execFile, execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { access, chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../kit/ports.ts';
import { until } from '../kit/until.ts';
import { canConnect } from './reachable.ts';

const run = promisify(execFile);
const programs = '/usr/sbin';

export type Postfix = AsyncDisposable & {
  readonly port: number;
  /** The process that all others of it come from. */
  readonly master: number;
};

/** Why there is nothing to compare with; undefined when there is. */
export async function whyNoPostfix(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'Postfix can only be started by root';
  try {
    await access(join(programs, 'postfix'));
    return undefined;
  } catch {
    return 'Postfix is not installed (Debian: apt-get install postfix)';
  }
}

/**
 * @param relayTo where it hands mail on; without it no queue manager runs, so that nothing but accepting costs it time
 * @param settings further lines of main.cf
 * @param keeps it has mailboxes of its own: `settings` name them (virtual_mailbox_domains)
 */
export async function startPostfix({
  relayTo,
  settings = [],
  keeps = false,
}: {
  relayTo?: number;
  settings?: readonly string[];
  keeps?: boolean;
} = {}): Promise<Postfix> {
  const home = await mkdtemp(join(tmpdir(), 'postern-bench-postfix-'));
  await chmod(home, 0o755);
  const port = await freePort();
  const { uid, gid } = await idsOf('postfix');
  for (const name of ['etc', 'queue', 'data']) await mkdir(join(home, name));
  await chown(join(home, 'data'), uid, gid);
  await writeFile(join(home, 'etc', 'main.cf'), [...mainSettings(home, relayTo), ...settings, ''].join('\n'));
  await writeFile(
    join(home, 'etc', 'master.cf'),
    masterTable(port, { delivers: relayTo !== undefined || keeps, keeps }),
  );

  const control = (order: string) => ['-c', join(home, 'etc'), order];
  const lastResort = () => {
    execFileSync(join(programs, 'postfix'), control('stop'), { stdio: 'ignore' });
    rmSync(home, { recursive: true, force: true });
  };
  await run(join(programs, 'postfix'), control('start'));
  process.once('exit', lastResort);
  await until(() => canConnect(port), { what: 'Postfix to listen' });
  return {
    port,
    master: Number(await readFile(join(home, 'queue', 'pid', 'master.pid'), 'utf8')),
    async [Symbol.asyncDispose]() {
      process.off('exit', lastResort);
      await run(join(programs, 'postfix'), control('stop'));
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** Messages a second that a server on this port takes from smtp-source. */
export async function measureSource({
  port,
  messages,
  sessions,
  bytes = 4_096,
  reuse,
}: {
  port: number;
  messages: number;
  sessions: number;
  bytes?: number;
  /** Whether a session carries many messages, or only one. */
  reuse: boolean;
}): Promise<number> {
  const started = performance.now();
  await run(join(programs, 'smtp-source'), [
    ...(reuse ? ['-d'] : []),
    ...['-s', String(sessions), '-m', String(messages), '-l', String(bytes)],
    ...['-f', 'ann@example.com', '-t', 'bob@example.net', `127.0.0.1:${port}`],
  ]);
  return messages / ((performance.now() - started) / 1000);
}

function mainSettings(home: string, relayTo: number | undefined): string[] {
  return [
    'compatibility_level = 3.6',
    `queue_directory = ${home}/queue`,
    `data_directory = ${home}/data`,
    `command_directory = ${programs}`,
    'daemon_directory = /usr/lib/postfix/sbin',
    'mail_owner = postfix',
    'setgid_group = postdrop',
    'myhostname = bench.example.com',
    'mydestination =',
    'mynetworks = 127.0.0.0/8',
    'smtpd_relay_restrictions = permit_mynetworks, reject',
    'inet_interfaces = 127.0.0.1',
    'inet_protocols = ipv4',
    `maillog_file = ${home}/log`,
    `maillog_file_prefixes = ${home}`,
    'alias_maps =',
    'alias_database =',
    ...(relayTo === undefined ? [] : [`relayhost = [127.0.0.1]:${relayTo}`]),
    'smtp_dns_support_level = disabled',
    'smtpd_client_connection_count_limit = 0',
    'smtpd_peername_lookup = no',
    'smtputf8_enable = no',
    'in_flow_delay = 0s',
    'default_process_limit = 200',
  ];
}

function masterTable(port: number, { delivers, keeps }: { delivers: boolean; keeps: boolean }): string {
  return [
    `${port} inet n - n - - smtpd`,
    'cleanup unix n - n - 0 cleanup',
    ...(delivers ? ['qmgr unix n - n 300 1 qmgr'] : []),
    ...(keeps ? ['virtual unix - n n - - virtual'] : []),
    'rewrite unix - - n - - trivial-rewrite',
    'bounce unix - - n - 0 bounce',
    'defer unix - - n - 0 bounce',
    'trace unix - - n - 0 bounce',
    'proxymap unix - - n - - proxymap',
    'tlsmgr unix - - n 1000? 1 tlsmgr',
    'smtp unix - - n - - smtp',
    'error unix - - n - - error',
    'retry unix - - n - - error',
    'anvil unix - - n - 1 anvil',
    'scache unix - - n - 1 scache',
    'postlog unix-dgram n - n - 1 postlogd',
    '',
  ].join('\n');
}

async function idsOf(user: string): Promise<{ uid: number; gid: number }> {
  const line = (await readFile('/etc/passwd', 'utf8'))
    .split('\n')
    .find((entry) => entry.startsWith(`${user}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return { uid: Number(uid), gid: Number(gid) };
}
