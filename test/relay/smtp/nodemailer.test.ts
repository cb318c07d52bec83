// The members of nodemailer's SMTP connection that relay/smtp/nodemailer.ts uses without being promised them.
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import { expect, test } from 'vitest';
import { beginExchange, largestMessage, offers, socketOf } from '../../../relay/smtp/nodemailer.ts';
import { drop, type Provider, startProvider } from '../../kit/provider.ts';
import { until } from '../../kit/until.ts';

const { version } = JSON.parse(
  readFileSync(new URL('../../../node_modules/nodemailer/package.json', import.meta.url), 'utf8'),
) as { version: string };

/** The version whose inside was read. Another one: read its lib/smtp-connection again, then change this. */
const read = '10.6.0';

test(`nodemailer is ${read}, whose inside was read`, () => {
  expect(version).toBe(read);
});

async function connected(provider: Provider): Promise<SMTPConnection> {
  const socket = connect(provider.starttlsPort, provider.host);
  const connection = new SMTPConnection({ connection: socket, ignoreTLS: true });
  await new Promise<void>((resolve, reject) =>
    connection.connect((error) => (error ? reject(error) : resolve())),
  );
  expect(socketOf(connection)).toBe(socket);
  return connection;
}

test(`nodemailer ${read} tells the socket and what EHLO offered, and reads the replies to commands of ours`, async () => {
  await using provider = await startProvider({ requireAuth: false });
  provider.on('rcpt', '550 5.1.1 No such user', {
    when: ({ recipient }) => recipient === 'nobody@example.org',
  });
  const connection = await connected(provider);
  expect(offers(connection, '8BITMIME')).toBe(true);
  expect(largestMessage(connection)).toBe(26_214_400);
  const lost: Error[] = [];
  const exchange = beginExchange(connection, (error) => lost.push(error));
  const heard: string[] = [];
  await new Promise<void>((resolve) => {
    const hear = (reply: string) => heard.push(reply.slice(0, 3));
    exchange.send([
      ['MAIL FROM:<app@example.com>', hear],
      ['RCPT TO:<ann@example.org>', hear],
      ['RCPT TO:<nobody@example.org>', hear],
      ['DATA', hear],
    ]);
    exchange.expect((reply) => {
      hear(reply);
      resolve();
    });
    void until(() => heard.length === 4).then(() =>
      socketOf(connection)?.write('Subject: x\r\n\r\nx\r\n.\r\n'),
    );
  });
  exchange.end();
  expect(heard).toEqual(['250', '250', '550', '354', '250']);
  expect(lost).toEqual([]);
  // Afterwards it is nodemailer's again.
  await new Promise<void>((resolve, reject) =>
    connection.reset((error) => (error ? reject(error) : resolve())),
  );
  connection.close();
});

test.each([
  ['ends', drop, /closed unexpectedly/],
  ['answers 421 and ends', '421 4.3.2 Shutting down', /421 4.3.2 Shutting down/],
] as const)(`nodemailer ${read} tells an exchange whose connection %s`, async (_, reaction, words) => {
  await using provider = await startProvider({ requireAuth: false });
  provider.on('rcpt', reaction);
  const connection = await connected(provider);
  connection.on('error', () => {});
  const lost = await new Promise<Error>((resolve) => {
    beginExchange(connection, resolve).send([
      ['MAIL FROM:<app@example.com>', () => {}],
      ['RCPT TO:<ann@example.org>', () => {}],
      ['DATA', () => {}],
    ]);
  });
  expect(lost.message).toMatch(words);
  connection.close();
});
