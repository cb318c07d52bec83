import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Admission, type AdmissionQuestion, admit } from '../../../relay/submission/admission.ts';
import type { Stack } from '../../kit/stack.ts';
import { logIn, relayedBytes, startRelay, submitted } from './submitting.ts';

const to = 'postern@example.com';
const ask = (header: string, wishes: Partial<AdmissionQuestion> = {}) =>
  admit({
    bytes: Buffer.from(`${header}\r\nMessage-ID: <1@host.example>\r\nDate: x\r\n\r\nbody\r\n`),
    ended: true,
    allowed: ['*@example.com'],
    mailFrom: 'root@host.example',
    rewriteTo: to,
    mayHandOverEmails: false,
    now: new Date('2026-01-05T10:00:00Z'),
    ...wishes,
  });
const passed = (header: string, wishes: Partial<AdmissionQuestion> = {}): Admission => {
  const admission = ask(header, wishes);
  if (!admission || 'code' in admission) throw new Error(admission?.text);
  return admission;
};
const sentOn = ({ added, kept }: Admission) => added + Buffer.concat(kept).toString();

describe('mail of the local system leaves as SMTP_FROM_EMAIL', () => {
  test.each([
    ['root', 'root', undefined],
    ['root (Cron Daemon)', 'root', undefined],
    ['Cron Daemon <root>', 'root', undefined],
    ['"Cron Daemon" <root>', 'root', undefined],
    ['<www-data>', 'www-data', undefined],
    ['MAILER-DAEMON', 'MAILER-DAEMON', undefined],
    ['MAILER-DAEMON@host', 'MAILER-DAEMON@host', 'MAILER-DAEMON@host'],
    ['Mail Delivery System <MAILER-DAEMON@host>', 'MAILER-DAEMON@host', 'MAILER-DAEMON@host'],
    ['django@localhost', 'django@localhost', 'django@localhost'],
    ['root@host.example (Cron Daemon)', 'root@host.example', 'root@host.example'],
    ['\r\n\tEve <eve@example.net>', 'eve@example.net', 'eve@example.net'],
    ['"odd user"@example.net', 'odd user@example.net', '"odd user"@example.net'],
    ['jürgen@example.net', 'jürgen@example.net', 'jürgen@example.net'],
  ])('From: %s', (from, shown, replyTo) => {
    const admission = passed(`From: ${from}\r\nSubject: hello`);
    expect(sentOn(admission)).toBe(
      `From: "${shown}" <${to}>\r\n${replyTo === undefined ? '' : `Reply-To: ${replyTo}\r\n`}` +
        'Subject: hello\r\nMessage-ID: <1@host.example>\r\nDate: x\r\n\r\nbody\r\n',
    );
    expect(admission).toMatchObject({ headerFrom: to, mailFrom: to });
    expect(admission.were).toMatchObject({ mailFromWas: 'root@host.example' });
    // It is read back as one author who may speak.
    expect(
      ask(sentOn(admission).replace(/\r\n\r\n.*/s, ''), { rewriteTo: undefined, mailFrom: to }),
    ).toHaveProperty('headerFrom', to);
  });

  test('a Reply-To of its own stays alone', () => {
    const text = sentOn(passed('From: root@host.example\r\nreply-to : ops@example.net'));
    expect(text.match(/reply-to/gi)).toHaveLength(1);
    expect(text).toContain('reply-to : ops@example.net');
  });

  test.each(['root@host.example', 'root', 'ceo@victim.example <root@host>'])(
    'Sender: %s is removed',
    (sender) => {
      const admission = passed(`From: root\r\nSender: ${sender}`);
      expect(sentOn(admission)).not.toMatch(/^Sender:/im);
      expect(admission.were.senderWas).toBe(sender);
    },
  );

  test('a Sender that may speak stays', () => {
    expect(sentOn(passed('From: root\r\nSender: ann@example.com'))).toContain('Sender: ann@example.com\r\n');
  });

  test('the null sender stays', () => {
    expect(passed('From: MAILER-DAEMON@host', { mailFrom: '' })).toMatchObject({
      mailFrom: '',
      headerFrom: to,
    });
  });

  test('a MAIL FROM that is allowed becomes the same when From is changed', () => {
    expect(passed('From: root', { mailFrom: 'ann@example.com' }).mailFrom).toBe(to);
  });

  test('a MAIL FROM that is not allowed is changed beside a From that is', () => {
    const admission = passed('From: ann@example.com');
    expect(admission).toMatchObject({ mailFrom: to, headerFrom: 'ann@example.com' });
    expect(admission.were).toEqual({ mailFromWas: 'root@host.example' });
    expect(admission.added).toBe('');
  });
});

test('what is allowed is not changed', () => {
  const admission = passed('From: Ann <ann@example.com>', { mailFrom: 'ann@example.com' });
  expect(admission).toMatchObject({ were: {}, added: '', mailFrom: 'ann@example.com' });
});

describe('what is not touched is refused as without it', () => {
  const dkim = 'DKIM-Signature: v=1; a=rsa-sha256; d=host.example; s=x; h=from; bh=x; b=x\r\n';
  test.each([
    ['a DKIM signature', `${dkim}From: root@host.example`, 550],
    [
      'a DKIM signature, in any spelling',
      `${dkim.replace('DKIM-Signature:', 'dkim-SIGNATURE :')}From: root@host.example`,
      550,
    ],
    ['a foreign MAIL FROM of signed mail', `${dkim}From: ann@example.com`, 550],
    ['two authors', 'From: root@host.example, eve@host.example', 550],
    ['an author and a bare name', 'From: ann@example.com, root', 554],
    ['two From fields', 'From: root\r\nFrom: ann@example.com', 554],
    ['no From', 'Subject: x', 554],
    ['an address in front of the address', 'From: ceo@victim.example <root@host.example>', 554],
    ['a group', 'From: ceo@victim.example:root@host.example;', 554],
    ['a comment with an address', 'From: root (ceo@victim.example)', 554],
    ['a nested comment', 'From: root (a (b) c)', 554],
    ['two words', 'From: Cron Daemon', 554],
    ['a name that is not closed', 'From: Cron <root', 554],
    ['a bare name as an encoded word', 'From: =?utf-8?Q?ceo=40victim.example?=', 554],
    ['an encoded name that hides an address', 'From: =?utf-8?Q?ceo=40victim.example?= <root>', 554],
    ['NUL', 'From: root\u0000', 554],
    ['nothing', 'From:', 554],
    ['Resent-From of a stranger', 'From: root\r\nResent-From: eve@example.net', 550],
    ['Resent-Sender of a stranger', 'From: root\r\nResent-Sender: eve@example.net', 550],
  ])('%s', (_, header, code) => expect(ask(header)).toMatchObject({ code }));
});

test('off, nothing is changed', () => {
  const off = { rewriteTo: undefined, mailFrom: 'ann@example.com' };
  expect(ask('From: root', off)).toMatchObject({ code: 554 });
  expect(ask('From: root@host.example', off)).toMatchObject({ code: 550 });
  expect(ask('From: ann@example.com', { ...off, mailFrom: 'root@host.example' })).toMatchObject({
    code: 550,
  });
});

describe('a relay with RELAY_SENDER_REWRITE=on', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startRelay({ relay: { RELAY_SENDER_REWRITE: 'on', SMTP_FROM_EMAIL: to } });
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  test('takes what cron sends, and its timeline says so', async () => {
    await using client = await logIn(stack);
    const message = Buffer.from(
      'From: root (Cron Daemon)\r\nTo: ops@example.net\r\nMessage-ID: <cron@host.example>\r\n\r\ndisk full\r\n',
    );
    const send = () => submitted(client, message, ['ops@example.net'], 'root@host.example');
    const queueId = await send();
    expect(await relayedBytes(stack, queueId)).toContain(`From: "root" <${to}>\r\n`);
    const { rows } = await stack.database.query(
      'select sender, header_from, submitted from message where queue_id = $1',
      [queueId],
    );
    expect(rows).toMatchObject([
      {
        sender: to,
        header_from: to,
        submitted: { fromWas: 'root', mailFromWas: 'root@host.example' },
      },
    ]);
    // A repeat is known by the bytes as they came, and by the sender as it came.
    expect(await send()).toBe(queueId);
    expect(await submitted(client, message, ['ops@example.net'], 'cron@host.example')).not.toBe(queueId);
    expect(stack.relay.process.output).toContain('"rewrittenFrom"');
  });

  test('refuses a foreign MAIL FROM only when the header has come, and tells who may', async () => {
    await using client = await logIn(stack);
    const message = 'From: ceo@victim.example <root@host.example>\r\n\r\nx\r\n';
    await (
      await client.submit({ sender: 'root@host.example', recipients: ['ops@example.net'], message })
    ).expect('554 5.6.0 The From field *');
  });
});
