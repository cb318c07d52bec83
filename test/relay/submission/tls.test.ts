// TLS for submitters: both ports, certificates that change, and clients that want TLS where there is none.
import { execFile } from 'node:child_process';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { EnvironmentError, readRelayEnvironment } from '../../../deploy/environment.ts';
import { readCertificate } from '../../../relay/submission/certificate.ts';
import { createAuthority } from '../../kit/certificate.ts';
import { freePort } from '../../kit/ports.ts';
import { connect } from '../../kit/transcript.ts';
import { until } from '../../kit/until.ts';
import { messageWith, startRelay, submitted } from './submitting.ts';

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

async function filesWith(cert: string, key: string) {
  const folder = await mkdtemp(join(tmpdir(), 'postern-tls-'));
  folders.push(folder);
  const files = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') };
  await writeFile(files.certFile, cert);
  await writeFile(files.keyFile, key);
  return files;
}

const variables = ({ certFile, keyFile }: { certFile: string; keyFile: string }) => ({
  RELAY_TLS_CERT_FILE: certFile,
  RELAY_TLS_KEY_FILE: keyFile,
});

test('a port with TLS from the first byte, and files that change under both ports', async () => {
  const before = await createAuthority();
  const after = await createAuthority();
  const first = await before.issue();
  const notAfter = new Date('2099-12-31T00:00:00Z');
  const second = await after.issue({ notAfter });
  const files = await filesWith(first.cert, first.key);
  const tlsPort = await freePort();
  await using stack = await startRelay({ relay: { ...variables(files), RELAY_TLS_PORT: String(tlsPort) } });
  const { application } = stack.relay;

  await using old = await connect(tlsPort, { tls: { ca: before.cert, servername: 'localhost' } });
  await old.expect('220 *');
  const { lines } = await old.send('EHLO laptop').expect('250 *');
  expect(lines).not.toContain('STARTTLS');
  await old.authPlain(application.user, application.password).expect('235 *');
  await submitted(old, messageWith('over TLS\r\n'));

  // A client of somebody else's.
  const swaks = await promisify(execFile)('swaks', [
    ...['--server', '127.0.0.1', '--port', String(tlsPort), '--tls-on-connect', '--helo', 'laptop'],
    ...['--auth', 'PLAIN', '--auth-user', application.user, '--auth-password', application.password],
    ...['--from', 'ann@example.com', '--to', 'bob@example.net', '--header', 'From: ann@example.com'],
  ]);
  expect(swaks.stdout).toMatch(/250 2\.0\.0 queued as/);

  // The key alone is a pair of strangers for a moment: the old certificate stays, and the log says why.
  await writeFile(`${files.keyFile}.new`, second.key);
  await rename(`${files.keyFile}.new`, files.keyFile);
  await until(() => stack.relay.output.includes('"event":"certificate-refused"'), { what: 'the complaint' });
  expect(stack.relay.output).toContain('RELAY_TLS_KEY_FILE is not the key of the certificate');
  await writeFile(files.certFile, second.cert);
  await until(() => stack.relay.output.includes('"event":"certificate"'), { what: 'the new certificate' });

  for (const port of [tlsPort, stack.relay.port]) {
    const tls = { ca: after.cert, servername: 'localhost' };
    await using client = await connect(port, port === tlsPort ? { tls } : {});
    await client.expect('220 *');
    await client.send('EHLO laptop').expect('250 *');
    if (port !== tlsPort) await client.startTls(tls);
    if (port !== tlsPort) await client.send('EHLO laptop').expect('250 *');
    await client.authPlain(application.user, application.password).expect('235 *');
  }
  await submitted(old, messageWith('the old session goes on\r\n'));
  const metrics = await (await fetch(`${stack.relay.healthUrl}/metrics`)).text();
  const [, validUntil] = /^postern_submission_certificate_valid_until_seconds\S* (\S+)$/m.exec(metrics) ?? [];
  expect(Number(validUntil)).toBe(notAfter.getTime() / 1_000);
});

test('without a certificate a client that wants TLS is told the variable, or the log is', async () => {
  await using stack = await startRelay();
  await using client = await connect(stack.relay.port);
  await client.expect('220 *');
  const { lines } = await client.send('EHLO laptop').expect('250 *');
  expect(lines).not.toContain('STARTTLS');
  await client.send('starttls').expect('454 4.7.0 *RELAY_TLS_CERT_FILE*');
  await client.send('NOOP').expect('250 *');

  const openssl = createConnection(stack.relay.port, '127.0.0.1');
  openssl.on('error', () => {});
  openssl.resume();
  // The record header of a ClientHello.
  openssl.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]));
  await until(
    () =>
      stack.relay.output.includes('used implicit TLS, but no certificate is configured (RELAY_TLS_CERT_FILE'),
    {
      what: 'the log to name the variable',
    },
  );
  await until(() => openssl.destroyed, { what: 'the connection to end' });
});

test('TLS on the port for STARTTLS: the log names the port for it', async () => {
  const authority = await createAuthority();
  const { cert, key } = await authority.issue();
  const files = await filesWith(cert, key);
  await using stack = await startRelay({ relay: variables(files) });
  const hello = promisify(execFile)('openssl', ['s_client', '-connect', `127.0.0.1:${stack.relay.port}`]);
  await expect(hello).rejects.toThrow();
  await until(() => stack.relay.output.includes('RELAY_TLS_PORT opens a port for implicit TLS'));
});

test('files that are wrong are named, all of them', async () => {
  const authority = await createAuthority();
  const [one, other] = [await authority.issue(), await authority.issue()];
  const faultsOf = async (cert: string, key: string) => {
    try {
      readCertificate(await filesWith(cert, key));
    } catch (error) {
      return (error as EnvironmentError).problems.map(({ variable, problem }) => `${variable} ${problem}`);
    }
    return [];
  };
  expect(await faultsOf(one.cert, one.key)).toEqual([]);
  expect(await faultsOf(one.cert, other.key)).toEqual([
    'RELAY_TLS_KEY_FILE is not the key of the certificate in RELAY_TLS_CERT_FILE',
  ]);
  expect(await faultsOf('', 'no key')).toEqual([
    expect.stringContaining('RELAY_TLS_CERT_FILE holds no certificate in PEM'),
    expect.stringContaining('RELAY_TLS_KEY_FILE holds no private key in PEM'),
  ]);
  const missing = { certFile: '/nowhere/cert.pem', keyFile: '/nowhere/key.pem' };
  expect(() => readCertificate(missing)).toThrow(EnvironmentError);
  expect(() => readCertificate(missing)).toThrow(
    /RELAY_TLS_CERT_FILE names a file that does not exist[\s\S]*RELAY_TLS_KEY_FILE names a file that does not exist/,
  );
});

test('a relay with wrong files says so and does not start', async () => {
  const starting = startRelay({
    relay: variables({ certFile: '/nowhere/c.pem', keyFile: '/nowhere/k.pem' }),
  });
  await expect(starting).rejects.toThrow(/RELAY_TLS_KEY_FILE names a file that does not exist/);
});

test('RELAY_TLS_PORT needs the certificate and a port of its own', () => {
  const read = (more: Record<string, string>) => () =>
    readRelayEnvironment({ DATABASE_URL: 'postgres://db/x', RELAY_PASSWORD: 'a relay password', ...more });
  expect(read({ RELAY_TLS_PORT: '465' })).toThrow(
    /RELAY_TLS_CERT_FILE is missing[\s\S]*RELAY_TLS_KEY_FILE is missing/,
  );
  expect(read({ ...variables({ certFile: '/c', keyFile: '/k' }), RELAY_TLS_PORT: '2525' })).toThrow(
    /RELAY_TLS_PORT is the same port as RELAY_PORT/,
  );
});
