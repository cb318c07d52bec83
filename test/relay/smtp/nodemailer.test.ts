// The members of nodemailer's SMTP connection that relay/smtp/nodemailer.ts uses without being promised them.
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import { expect, test } from 'vitest';
import { type Envelope, offers, rewriteCommands, socketOf } from '../../../relay/smtp/nodemailer.ts';
import { startProvider } from '../../kit/provider.ts';

const { version } = JSON.parse(
  readFileSync(new URL('../../../node_modules/nodemailer/package.json', import.meta.url), 'utf8'),
) as { version: string };

/** The version whose inside was read. Another one: read its lib/smtp-connection again, then change this. */
const read = '10.6.0';

test(`nodemailer is ${read}, whose inside was read`, () => {
  expect(version).toBe(read);
});

test(`nodemailer ${read} tells the socket, what EHLO offered, and who was refused; its commands can be completed`, async () => {
  await using provider = await startProvider({ requireAuth: false });
  provider.on('rcpt', '550 5.1.1 No such user', {
    when: ({ recipient }) => recipient === 'nobody@example.org',
  });
  const socket = connect(provider.starttlsPort, provider.host);
  const connection = new SMTPConnection({ connection: socket, ignoreTLS: true });
  await new Promise<void>((resolve, reject) =>
    connection.connect((error) => (error ? reject(error) : resolve())),
  );
  expect(socketOf(connection)).toBe(socket);
  expect(offers(connection, '8BITMIME')).toBe(true);

  const asUsual = rewriteCommands(connection, (command) =>
    command.startsWith('MAIL FROM:') ? `${command} SIZE=1` : command,
  );
  const envelope: Envelope = { from: 'app@example.com', to: ['ann@example.org', 'nobody@example.org'] };
  await new Promise<void>((resolve, reject) =>
    connection.send(envelope, 'Subject: x\r\n\r\nx', (error) => (error ? reject(error) : resolve())),
  );
  asUsual();
  expect(provider.commands()).toContain('MAIL FROM:<app@example.com> SIZE=1');
  expect(envelope.accepted).toEqual(['ann@example.org']);
  expect(envelope.rejectedErrors?.map(({ recipient }) => recipient)).toEqual(['nobody@example.org']);
  connection.close();
});
