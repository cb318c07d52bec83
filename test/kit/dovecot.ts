// A real Dovecot with one mailbox in a directory of its own, for tests that read mail: /usr/sbin/dovecot, where it is
// installed.
import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  access,
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createAuthority } from './certificate.ts';
import { freePort } from './ports.ts';
import { until } from './until.ts';

const run = promisify(execFile);
const binary = '/usr/sbin/dovecot';

/** Why tests against it are skipped; undefined where they are not. */
export async function whyNoDovecot(): Promise<string | undefined> {
  try {
    await access(binary);
    const { stdout } = await run(binary, ['--version']);
    return stdout.startsWith('2.3.') ? undefined : `its settings are those of 2.3, not of ${stdout.trim()}`;
  } catch {
    return 'dovecot is not installed';
  }
}

export type Dovecot = AsyncDisposable & {
  readonly port: number;
  readonly clearPort: number;
  readonly caFile: string;
  readonly user: string;
  readonly password: string;
  /** The Maildir of its mailbox, and who owns it. */
  readonly maildir: string;
  readonly owner: { readonly uid: number; readonly gid: number };
  /** Where an SMTP server asks whether a login is right (Postfix: smtpd_sasl_path). */
  readonly authSocket: string;
  /** The certificate of this machine for TLS. */
  readonly certFile: string;
  readonly keyFile: string;
  /** Puts a mail into a folder, as a delivery does. Answers its file's name. */
  deliver(mail: string, folder?: 'INBOX' | 'Junk'): Promise<void>;
  /** What lies in a folder: file names with their flags, and texts. */
  contents(folder?: string): Promise<{ name: string; text: string }[]>;
  /** Ends every session at once. */
  kick(): Promise<void>;
  restart(): Promise<void>;
  /** Forgets its UIDs: the next session hears another UIDVALIDITY. */
  renumber(): Promise<void>;
};

type Bearer = {
  readonly introspectionUrl: string;
  readonly mechanisms: readonly ('xoauth2' | 'oauthbearer')[];
};

// Dovecot allows no user below 500 by itself.
const owner = { uid: 65534, gid: 65534 };

/** @param bearer where access tokens are asked about, and the mechanisms that take them; then a password is taken, too */
export async function startDovecot({ bearer }: { bearer?: Bearer } = {}): Promise<Dovecot> {
  const directory = await mkdtemp(join(tmpdir(), 'postern-dovecot-'));
  await chmod(directory, 0o755);
  const path = (name: string) => join(directory, name);
  const authority = await createAuthority();
  const { cert, key } = await authority.issue();
  const [user, password] = ['mailer@example.com', 'correct-horse-battery'];
  const [port, clearPort] = [await freePort(), await freePort()];
  const mail = path('mail');
  for (const folder of ['', '.Junk']) {
    for (const part of ['cur', 'new', 'tmp']) await mkdir(join(mail, folder, part), { recursive: true });
  }
  await writeFile(path('ca.pem'), authority.cert);
  await writeFile(path('cert.pem'), cert);
  await writeFile(path('key.pem'), key);
  await writeFile(path('users'), `${user}:{PLAIN}${password}:::::\n`);
  await writeFile(path('dovecot.conf'), settings({ path, port, clearPort, mail, bearer }));
  if (bearer) await writeFile(path('oauth2.conf'), tokenSettings(bearer));
  const isRoot = userInfo().uid === 0;
  if (isRoot) await run('chown', ['-R', `${owner.uid}:${owner.gid}`, mail]);

  let process = launch();
  function launch() {
    return spawn(binary, ['-F', '-c', path('dovecot.conf')], { stdio: 'ignore' });
  }
  async function answers() {
    await until(() => answersAt(port), { what: 'Dovecot to listen' });
  }
  async function stop() {
    if (process.exitCode !== null || process.signalCode !== null) return;
    const ended = new Promise((resolve) => process.once('exit', resolve));
    process.kill('SIGTERM');
    await ended;
  }
  const dir = (folder: string) => (folder === 'INBOX' ? mail : join(mail, `.${folder}`));
  try {
    await answers();
  } catch (error) {
    await stop();
    throw error;
  }

  return {
    port,
    clearPort,
    caFile: path('ca.pem'),
    user,
    password,
    maildir: mail,
    owner,
    authSocket: path('auth-client'),
    certFile: path('cert.pem'),
    keyFile: path('key.pem'),
    async deliver(text, folder = 'INBOX') {
      const name = `${Date.now()}.${randomUUID()}.test`;
      const draft = join(dir(folder), 'tmp', name);
      await writeFile(draft, text.replaceAll(/\r?\n/g, '\r\n'));
      if (isRoot) await chown(draft, owner.uid, owner.gid);
      await rename(draft, join(dir(folder), 'new', name));
    },
    async contents(folder = 'INBOX') {
      const found = new Map<string, { name: string; text: string }>();
      // Dovecot moves a mail from new to cur when it sees it: what is gone from the one will be in the other.
      for (const part of ['new', 'cur']) {
        for (const name of await readdir(join(dir(folder), part)).catch(() => [])) {
          const text = await readFile(join(dir(folder), part, name), 'utf8').catch(ifGone);
          if (text !== undefined) found.set(name.replace(/:2,.*$/, ''), { name, text });
        }
      }
      return [...found.values()];
    },
    async kick() {
      await run('doveadm', ['-c', path('dovecot.conf'), 'kick', user]).catch(() => {});
    },
    async restart() {
      await stop();
      process = launch();
      await answers();
    },
    async renumber() {
      await stop();
      for (const name of await readdir(mail)) {
        if (name.startsWith('dovecot')) await rm(join(mail, name), { recursive: true });
      }
      process = launch();
      await answers();
    },
    async [Symbol.asyncDispose]() {
      await stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function ifGone(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

const answersAt = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

function settings({
  path,
  port,
  clearPort,
  mail,
  bearer,
}: {
  path: (name: string) => string;
  port: number;
  clearPort: number;
  mail: string;
  bearer: Bearer | undefined;
}): string {
  return `
base_dir = ${path('run')}
state_dir = ${path('state')}
log_path = ${path('log')}
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <${path('cert.pem')}
ssl_key = <${path('key.pem')}
disable_plaintext_auth = yes
auth_mechanisms = ${['plain login', ...(bearer?.mechanisms ?? [])].join(' ')}
${
  bearer
    ? `passdb {
  driver = oauth2
  mechanisms = ${bearer.mechanisms.join(' ')}
  args = ${path('oauth2.conf')}
}`
    : ''
}
mail_location = maildir:${mail}
first_valid_uid = 1
mail_uid = ${owner.uid}
mail_gid = ${owner.gid}
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
mailbox_idle_check_interval = 1 s
passdb {
  driver = passwd-file
  args = ${path('users')}
}
userdb {
  driver = static
  args = uid=${owner.uid} gid=${owner.gid} home=${path('home')}
}
namespace inbox {
  inbox = yes
  separator = .
  mailbox Junk {
    special_use = \\Junk
    auto = subscribe
  }
}
service imap-login {
  chroot =
  inet_listener imap {
    port = ${clearPort}
  }
  inet_listener imaps {
    port = ${port}
    ssl = yes
  }
}
service auth {
  unix_listener ${path('auth-client')} {
    mode = 0666
  }
}
# Wrong logins cost no time: tests make them on purpose.
auth_failure_delay = 0
service anvil {
  chroot =
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
`;
}

const tokenSettings = ({ introspectionUrl }: Bearer): string => `
introspection_mode = post
introspection_url = ${introspectionUrl}
force_introspection = yes
username_attribute = username
active_attribute = active
active_value = true
`;
