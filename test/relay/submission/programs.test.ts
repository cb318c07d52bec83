// Clients we have not written: swaks, which administrators try a mail server with, and a Postfix that relays through
// ours, as it runs on many hosts for cron and the rest. Both check the certificate, both log in.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startPostfix, whyNoPostfix } from '../../bench/postfix.ts';
import { createAuthority } from '../../kit/certificate.ts';
import type { Stack } from '../../kit/stack.ts';
import { connect } from '../../kit/transcript.ts';
import { until } from '../../kit/until.ts';
import { startRelay } from './submitting.ts';

const run = promisify(execFile);

const noSwaks = await run('swaks', ['--version']).then(
  () => undefined,
  () => 'swaks is not installed (Debian: apt-get install swaks)',
);
const noPostfix = await whyNoPostfix();
if (noSwaks) console.info(`Skipping the tests with swaks: ${noSwaks}.`);
if (noPostfix) console.info(`Skipping the test with Postfix in front of the relay: ${noPostfix}.`);

let directory: string;
let stack: Stack;
beforeAll(async () => {
  if (noSwaks && noPostfix) return;
  directory = await mkdtemp(join(tmpdir(), 'postern-programs-'));
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

const arrived = (messageId: string) =>
  until(() => stack.provider.copiesOf(messageId)[0], { what: `${messageId} to be with the provider` });

test.skipIf(noSwaks).each(['PLAIN', 'LOGIN'])(
  'swaks upgrades to TLS, logs in with %s and delivers',
  async (mechanism) => {
    const { user, password } = stack.relay.application;
    const messageId = `<swaks-${mechanism}@example.com>`;
    const { stdout } = await run('swaks', [
      ...['--server', '127.0.0.1', '--port', String(stack.relay.port), '--ehlo', 'host.example.com'],
      ...['--tls', '--tls-verify', '--tls-ca-path', join(directory, 'ca.pem')],
      ...['--auth', mechanism, '--auth-user', user, '--auth-password', password],
      ...['--from', 'ann@example.com', '--to', 'bob@example.net,eve@example.net'],
      ...['--header', `Message-Id: ${messageId}`, '--body', '.a line that begins with a dot'],
    ]);
    expect(stdout).toMatch(/<~ +250 2\.0\.0 queued as /);
    const { envelope, raw } = await arrived(messageId);
    expect(envelope).toMatchObject({
      sender: 'ann@example.com',
      recipients: ['bob@example.net', 'eve@example.net'],
    });
    expect(raw.toString()).toContain('with ESMTPSA id');
    expect(raw.toString()).toContain('\r\n.a line that begins with a dot\r\n');
  },
);

test.skipIf(noPostfix)(
  'a Postfix relays through us with SASL over STARTTLS, and what it sends arrives octet for octet',
  async () => {
    const { user, password } = stack.relay.application;
    const passwords = join(directory, 'passwords');
    await writeFile(passwords, `[127.0.0.1]:${stack.relay.port} ${user}:${password}\n`);
    await using postfix = await startPostfix({
      relayTo: stack.relay.port,
      settings: [
        'smtp_tls_security_level = secure',
        'smtp_tls_secure_cert_match = localhost',
        `smtp_tls_CAfile = ${join(directory, 'ca.pem')}`,
        'smtp_sasl_auth_enable = yes',
        `smtp_sasl_password_maps = texthash:${passwords}`,
        'smtp_sasl_security_options =',
      ],
    });
    await using client = await connect(postfix.port);
    await client.expect('220 *');
    await client.send('EHLO cron.example.com').expect('250 *');
    const bodies = [
      'plain\r\n',
      '.\r\n..\r\n.a\r\n',
      '\xe4\xf6\xfc in eight bits\r\n',
      `${'0123456789 \xe4\r\n'.repeat(40_000)}`,
    ];
    for (const [n, body] of bodies.entries()) {
      const message = Buffer.from(
        `From: ann@example.com\r\nDate: x\r\nMessage-ID: <postfix-${n}@example.com>\r\n\r\n${body}`,
        'latin1',
      );
      await (
        await client.submit({ sender: 'ann@example.com', recipients: ['bob@example.net'], message })
      ).expect('250 *');
    }
    for (const [n, body] of bodies.entries()) {
      const { raw } = await arrived(`<postfix-${n}@example.com>`);
      const text = raw.toString('latin1');
      expect(text).toContain('with ESMTPSA id');
      expect(text.slice(text.indexOf('\r\n\r\n') + 4) === body).toBe(true);
    }
  },
  60_000,
);
