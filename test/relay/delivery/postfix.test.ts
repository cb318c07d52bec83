// A real Postfix as the provider: implicit TLS and submission, SASL, and senders that belong to their owners.
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startPostfix, whyNoPostfix } from '../../bench/postfix.ts';
import { createAuthority } from '../../kit/certificate.ts';
import { freshDatabase } from '../../kit/database.ts';
import { environmentFor, openWayOut, queueMail, settled } from './way-out.ts';

const user = 'mailer@example.com';
const password = 'correct-horse-battery';
const absent = await whyNoPostfix();
if (absent) console.info(`Skipping the test against a real Postfix: ${absent}.`);

for (const mode of ['implicit', 'starttls'] as const) {
  test.skipIf(absent)(
    `a real Postfix takes our mail over ${mode} TLS, and refuses a sender that is not ours`,
    async () => {
      const directory = await mkdtemp(join(tmpdir(), 'postern-sasl-'));
      await chmod(directory, 0o755);
      const path = (name: string) => join(directory, name);
      try {
        await using _passwords = await speakDovecot(path('auth'));
        const authority = await createAuthority();
        const { cert, key } = await authority.issue();
        await writeFile(path('ca.pem'), authority.cert);
        await writeFile(path('cert.pem'), cert);
        await writeFile(path('key.pem'), key);
        await writeFile(path('owners'), `${user} ${user}\nboss@example.com boss@example.com\n`);
        await using postfix = await startPostfix({
          settings: [
            'mynetworks =',
            `smtpd_tls_cert_file = ${path('cert.pem')}`,
            `smtpd_tls_key_file = ${path('key.pem')}`,
            ...(mode === 'implicit'
              ? ['smtpd_tls_wrappermode = yes']
              : ['smtpd_tls_security_level = encrypt']),
            'smtpd_tls_auth_only = yes',
            'smtpd_sasl_auth_enable = yes',
            'smtpd_sasl_type = dovecot',
            `smtpd_sasl_path = ${path('auth')}`,
            'smtpd_relay_restrictions = permit_sasl_authenticated, reject',
            `smtpd_sender_login_maps = texthash:${path('owners')}`,
            'smtpd_sender_restrictions = reject_sender_login_mismatch',
          ],
        });
        await using database = await freshDatabase();
        const environment = environmentFor(undefined, {
          SMTP_HOST: '127.0.0.1',
          SMTP_PORT: String(postfix.port),
          SMTP_TLS_MODE: mode,
          SMTP_FAILOVER: 'off',
          SMTP_USER: user,
          SMTP_PASSWORD: password,
          SMTP_FROM_EMAIL: user,
          SMTP_CA_FILE: path('ca.pem'),
          SMTP_TIMEOUT: '10',
        });
        await using _ = await openWayOut(database.url, environment);
        const mine = await queueMail(database.query);
        const sent = await settled(database.query, mine.queueId);
        expect(sent).toMatchObject({ status: 'sent', replyCode: 250, enhancedCode: '2.0.0' });
        expect(sent.reply).toContain(`queued as ${sent.providerQueueId}`);

        const theirs = await queueMail(database.query, { from: 'boss@example.com' });
        const held = await settled(database.query, theirs.queueId);
        expect(held).toMatchObject({
          status: 'held',
          reason: 'sender-not-owned',
          replyCode: 553,
          attempts: 0,
        });
        const next = await queueMail(database.query);
        expect(await settled(database.query, next.queueId)).toMatchObject({ status: 'sent' });
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    },
    60_000,
  );
}

/** The little of Dovecot's authentication protocol that Postfix speaks, for PLAIN and one account. */
async function speakDovecot(path: string): Promise<AsyncDisposable> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.write(
      'VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00000000000000000000000000000001\nDONE\n',
    );
    let pending = '';
    socket.on('data', (chunk) => {
      const lines = (pending + chunk).split('\n');
      pending = lines.pop() ?? '';
      for (const line of lines) {
        const [verb, id, , ...parameters] = line.split('\t');
        if (verb !== 'AUTH') continue;
        const response = parameters.find((parameter) => parameter.startsWith('resp='))?.slice(5) ?? '';
        const [, name, given] = Buffer.from(response, 'base64').toString().split('\0');
        socket.write(
          name === user && given === password ? `OK\t${id}\tuser=${name}\n` : `FAIL\t${id}\tuser=${name}\n`,
        );
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  await chmod(path, 0o666);
  return {
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
