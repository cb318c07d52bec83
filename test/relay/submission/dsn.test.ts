// What a submitter may ask to hear about its mail (RFC 3461), as a client meets it.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeXtext } from '../../../relay/smtp/xtext.ts';
import { readMessageRequest, readRecipientRequest } from '../../../relay/submission/dsn-parameters.ts';
import type { Stack } from '../../kit/stack.ts';
import { handedOut, logIn, messageWith, startRelay } from './submitting.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startRelay({ relay: { DELIVERY_MODE: 'deliver' } });
});
afterAll(() => stack[Symbol.asyncDispose]());

test('what was asked for is stored with the mail, as it came', async () => {
  await using client = await logIn(stack);
  await client.send('MAIL FROM:<ann@example.com> ret=hdrs ENVID=QQ314+2B159 SIZE=900').expect('250 *');
  await client
    .send('RCPT TO:<bob@example.net> NOTIFY=success,Delay ORCPT=rfc822;Bob+2Bold@example.org')
    .expect('250 *');
  await client.send('RCPT TO:<eve@example.net> NOTIFY=NEVER').expect('250 *');
  await client.send('RCPT TO:<carl@example.net>').expect('250 *');
  await client.send('DATA').expect('354 *');
  const reply = await client
    .raw(`${messageWith('Hello\r\n').toString()}.\r\n`)
    .expect('250 2.0.0 queued as *');
  const queueId = handedOut.exec(reply.text)?.[1];
  const message = await stack.database.query('select ret, envid from message where queue_id = $1', [queueId]);
  expect(message.rows).toEqual([{ ret: 'HDRS', envid: 'QQ314+2B159' }]);
  const recipients = await stack.database.query(
    'select address, notify, orcpt from recipient where queue_id = $1 order by ordinal',
    [queueId],
  );
  expect(recipients.rows).toEqual([
    { address: 'bob@example.net', notify: 'SUCCESS,DELAY', orcpt: 'rfc822;Bob+2Bold@example.org' },
    { address: 'eve@example.net', notify: 'NEVER', orcpt: null },
    { address: 'carl@example.net', notify: null, orcpt: null },
  ]);
  const owed = await stack.database.query(
    `select ordinal, action, due_at > now() + interval '3 hours' as later from notice_owed
     where queue_id = $1 and action = 'delayed'`,
    [queueId],
  );
  expect(owed.rows).toEqual([{ ordinal: 0, action: 'delayed', later: true }]);
});

test('a wrong value is refused with its name, all of them at once, and changes nothing', async () => {
  await using client = await logIn(stack);
  await client
    .send('MAIL FROM:<ann@example.com> RET=ALL ENVID=a=b')
    .expect('501 5.5.4 RET must be FULL or HDRS, not "ALL"; ENVID must be xtext *');
  await client.send('MAIL FROM:<ann@example.com> NOTIFY=NEVER').expect('555 5.5.4 *NOTIFY*');
  await client.send('MAIL FROM:<ann@example.com>').expect('250 *');
  await client
    .send('RCPT TO:<bob@example.net> NOTIFY=NEVER,SUCCESS ORCPT=bob@example.net')
    .expect('501 5.5.4 NOTIFY=NEVER goes with no other word; ORCPT must be an address type, *');
  await client.send('RCPT TO:<bob@example.net> NOTIFY').expect('501 5.5.4 NOTIFY needs a value');
  await client.send('DATA').expect('503 *');
  await client.send('RCPT TO:<bob@example.net> NOTIFY=FAILURE').expect('250 *');
});

const recipient = (parameters: string, utf8 = false) =>
  readRecipientRequest(`RCPT TO:<bob@example.net> ${parameters}`, utf8);
const message = (parameters: string) => readMessageRequest(`MAIL FROM:<ann@example.com> ${parameters}`);

test.each([
  [recipient('NOTIFY=FAILURE,DELAY,FAILURE'), { notify: 'FAILURE,DELAY', orcpt: null }],
  [recipient('notify=never'), { notify: 'NEVER', orcpt: null }],
  [recipient('ORCPT=x400;+2FC=DE'.replace('=DE', '+3DDE')), { notify: null, orcpt: 'x400;+2FC+3DDE' }],
  [recipient('ORCPT=utf-8;b\\x{F8}b@example.org'), { notify: null, orcpt: 'utf-8;b\\x{F8}b@example.org' }],
  [recipient('ORCPT=utf-8;bøb@example.org', true), { notify: null, orcpt: 'utf-8;bøb@example.org' }],
  [message(`ENVID=${'x'.repeat(100)}`), { ret: null, envid: 'x'.repeat(100) }],
  [message('RET=Full ENVID=a+20b'), { ret: 'FULL', envid: 'a+20b' }],
])('%# good parameters are read', (read, request) => {
  expect(read).toMatchObject({ request });
});

test.each([
  recipient('NOTIFY='),
  recipient('NOTIFY=SOMETIMES'),
  recipient('NOTIFY=SUCCESS,'),
  recipient('NOTIFY=SUCCESS NOTIFY=SUCCESS'),
  recipient('NOTIFY=NEVER,FAILURE'),
  recipient('ORCPT=rfc822;'),
  recipient('ORCPT=;bob@example.org'),
  recipient('ORCPT=rfc822;bob+0D+0AX:@example.org'),
  recipient('ORCPT=rfc822;b+zzb@example.org'),
  recipient('ORCPT=utf-8;bøb@example.org'),
  recipient('ORCPT=rfc822;bøb@example.org', true),
  recipient(`ORCPT=rfc822;${'x'.repeat(500)}`),
  message('RET=BODY'),
  message('RET'),
  message('RET=FULL RET=HDRS'),
  message('ENVID=+0A'),
  message('ENVID=+4'),
  message('ENVID=+3d'),
  message(`ENVID=${'x'.repeat(101)}`),
])('%# wrong parameters are faults', (read) => {
  expect(read).toMatchObject({ faults: [expect.any(String)] });
});

test('what stands in a quoted local part is no parameter', () => {
  const command = 'RCPT TO:<"a> NOTIFY=NEVER b"@example.net> BODY=x';
  expect(readRecipientRequest(command, false)).toEqual({
    request: { notify: null, orcpt: null },
    rest: command,
  });
  expect(decodeXtext('a+2Bb+3Dc+20d')).toBe('a+b=c d');
});
