// The programs of "Use it from your application", as they stand there, against a real relay: each mail arrives once,
// with its text. Programs that are not installed are skipped with a word.
import { execFile } from 'node:child_process';
import { access, copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { simpleParser } from 'mailparser';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startPostfix, whyNoPostfix } from '../bench/postfix.ts';
import type { Stack } from '../kit/stack.ts';
import { connect } from '../kit/transcript.ts';
import { until } from '../kit/until.ts';
import { startRelay } from '../relay/submission/submitting.ts';

const run = promisify(execFile);
const place = join(import.meta.dirname, '../../deploy/use-it-from');

type Program = {
  readonly file: string;
  readonly command: readonly [string, ...string[]];
  /** Succeeds where everything is there that the program needs. */
  readonly needs: readonly [string, ...string[]];
  readonly debian: string;
  readonly env?: Readonly<Record<string, string>>;
};

const debianPython = '/usr/bin/python3';
const jakarta = ['mail', 'activation'].map((name) => `/usr/share/java/jakarta-${name}.jar`);
const symfony = '/usr/share/php/Symfony/Component/Mailer/autoload.php';
const phpmailer = '/usr/share/php/libphp-phpmailer/autoload.php';

const programs: readonly Program[] = [
  {
    file: 'nodemailer.mjs',
    command: [process.execPath],
    needs: [process.execPath, '--version'],
    debian: 'nodejs',
  },
  {
    file: 'python_smtplib.py',
    command: ['python3'],
    needs: ['python3', '-c', 'import smtplib'],
    debian: 'python3',
  },
  {
    ...{ file: 'django_mail.py', command: [debianPython], debian: 'python3-django' },
    needs: [debianPython, '-c', 'import django'],
  },
  {
    ...{ file: 'flask_mail_app.py', command: [debianPython], debian: 'python3-flask-mail' },
    needs: [debianPython, '-c', 'import flask_mail'],
  },
  {
    ...{ file: 'rails_mailer.rb', command: ['ruby'], debian: 'ruby-actionmailer' },
    needs: ['ruby', '-e', 'require "action_mailer"'],
  },
  {
    ...{ file: 'symfony_mailer.php', command: ['php'], debian: 'php-cli php-symfony-mailer' },
    needs: ['php', '-r', `require '${symfony}';`],
    env: { AUTOLOAD: symfony },
  },
  {
    ...{ file: 'phpmailer.php', command: ['php'], debian: 'php-cli libphp-phpmailer' },
    needs: ['php', '-r', `require '${phpmailer}';`],
    env: { AUTOLOAD: phpmailer },
  },
  {
    ...{ file: 'smtp.go', command: ['go', 'run'], needs: ['go', 'version'], debian: 'golang-go' },
    env: { GOFLAGS: '-mod=mod', GO111MODULE: 'off' },
  },
  {
    ...{ file: 'JavaMail.java', command: ['java', '-cp', jakarta.join(':')] },
    ...{ needs: ['sh', '-c', `javac -version && cat ${jakarta.join(' ')} >/dev/null`] },
    debian: 'openjdk-17-jdk-headless libjakarta-mail-java libjakarta-activation-java',
  },
  { file: 'curl.sh', command: ['sh'], needs: ['curl', '--version'], debian: 'curl' },
];

const missing = new Map<string, string>();
for (const {
  file,
  needs: [command, ...args],
  debian,
} of programs) {
  await run(command, args).catch(() => missing.set(file, `Debian: apt-get install ${debian}`));
}
const noMsmtp = await run('msmtp', ['--version']).then(
  () => undefined,
  () => 'Debian: apt-get install msmtp',
);
const noPostfix = await whyNoPostfix();
for (const [file, why] of missing) console.info(`Skipping ${file}: what it needs is not installed (${why}).`);
if (noMsmtp) console.info(`Skipping msmtp.conf: msmtp is not installed (${noMsmtp}).`);
if (noPostfix) console.info(`Skipping postfix-main.cf: ${noPostfix}.`);

let directory: string;
let stack: Stack;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'postern-use-it-from-'));
  stack = await startRelay({ relay: { DELIVERY_MODE: 'deliver' } });
});
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  if (directory) await rm(directory, { recursive: true });
});

const sender = 'shop@example.com';

const mailsTo = (recipient: string) =>
  stack.provider.messages.filter(({ envelope }) => envelope.recipients.includes(recipient));

/** Waits for the mail, and for everything that the relay has: a second copy would have left by then. */
async function arrivedOnce(recipient: string) {
  const { envelope, raw } = await until(() => mailsTo(recipient)[0], { what: `a mail to ${recipient}` });
  await until(
    async () => {
      const { rows } = await stack.database.query(
        `select 1 from recipient where address = $1 and status <> 'sent'`,
        [recipient],
      );
      return rows.length === 0;
    },
    { what: `all mail to ${recipient} to be sent` },
  );
  expect(mailsTo(recipient)).toHaveLength(1);
  const { rows } = await stack.database.query('select 1 from recipient where address = $1', [recipient]);
  expect(rows).toHaveLength(1);
  return { envelope, parsed: await simpleParser(raw) };
}

const present = programs.filter(({ file }) => !missing.has(file));

test.each(present.map((program) => [program.file, program] as const))(
  '%s delivers, once and intact',
  async (file, { command: [program, ...args], env = {} }) => {
    const { user, password } = stack.relay.application;
    const recipient = `${file.replace(/\W/g, '-').toLowerCase()}@example.net`;
    // Beside what it needs, nothing of this repository is around it; only Node finds its packages from here.
    const path = file.endsWith('.mjs') ? join(place, file) : join(directory, file);
    if (!file.endsWith('.mjs')) await copyFile(join(place, file), path);
    await run(program, [...args, path], {
      cwd: directory,
      env: {
        ...process.env,
        ...env,
        MAIL_HOST: '127.0.0.1',
        MAIL_PORT: String(stack.relay.port),
        MAIL_USERNAME: user,
        MAIL_PASSWORD: password,
        MAIL_FROM: sender,
        MAIL_TO: recipient,
      },
    });
    const { envelope, parsed } = await arrivedOnce(recipient);
    expect(envelope).toMatchObject({ sender, recipients: [recipient] });
    expect(parsed.from?.value).toEqual([{ address: sender, name: 'Example Shop' }]);
    expect(parsed.subject).toBe('Your order 4711 – Grüße');
    expect(parsed.text?.trim()).toBe('Thank you for your order.');
    expect(parsed.messageId).toMatch(/^<[^<>@]+@[^<>@]+>$/);
  },
  60_000,
);

/** The settings of the page with our port, login and host in place of the invented ones. */
async function settingsOf(file: string): Promise<string> {
  const { user, password } = stack.relay.application;
  const text = await readFile(join(place, file), 'utf8');
  return text
    .replaceAll('shop:change-me', `${user}:${password}`)
    .replaceAll('user shop', `user ${user}\npassword ${password}`)
    .replaceAll('password change-me\n', '')
    .replaceAll('postern-relay', '127.0.0.1')
    .replaceAll('2525', String(stack.relay.port));
}

test.skipIf(noMsmtp)('msmtp with msmtp.conf delivers what is piped into it, once and intact', async () => {
  const settings = join(directory, 'msmtprc');
  await writeFile(settings, await settingsOf('msmtp.conf'), { mode: 0o600 });
  const sending = run('msmtp', [`--file=${settings}`, 'msmtp@example.net']);
  sending.child.stdin?.end(`From: ${sender}\nSubject: nightly\nMessage-ID: <msmtp@example.com>\n\n.done\n`);
  await sending;
  const { envelope, parsed } = await arrivedOnce('msmtp@example.net');
  expect(envelope.sender).toBe(sender);
  expect(parsed.text).toBe('.done\n');
});

test.skipIf(noPostfix)('a Postfix with postfix-main.cf delivers, once and intact', async () => {
  const { user, password } = stack.relay.application;
  const passwords = join(directory, 'postern');
  await writeFile(passwords, `[127.0.0.1]:${stack.relay.port} ${user}:${password}\n`);
  const settings = (await settingsOf('postfix-main.cf'))
    .replaceAll('/etc/postfix/postern', passwords)
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith('relayhost'));
  await using postfix = await startPostfix({ relayTo: stack.relay.port, settings });
  await using client = await connect(postfix.port);
  await client.expect('220 *');
  await client.send('EHLO cron.example.com').expect('250 *');
  const message = Buffer.from(
    `From: ${sender}\r\nSubject: cron\r\nMessage-ID: <cron@example.com>\r\n\r\n.done\r\n`,
  );
  await (await client.submit({ sender, recipients: ['postfix@example.net'], message })).expect('250 *');
  const { parsed } = await arrivedOnce('postfix@example.net');
  expect(parsed.text).toBe('.done\n');
});

test('the page shows every file as it is', async () => {
  const page = await readFile(join(place, 'README.md'), 'utf8');
  for (const file of await readdir(place)) {
    if (file === 'README.md') continue;
    await access(join(place, file));
    expect(page, file).toContain(`[${file}](${file}):\n\n\`\`\``);
    expect(page, file).toContain(`\n${(await readFile(join(place, file), 'utf8')).trimEnd()}\n\`\`\``);
  }
});
