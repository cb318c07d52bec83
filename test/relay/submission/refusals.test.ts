// Every refusal is seen: in the log, in the metrics and as a row; a flood is one row with a count.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '../../../deploy/database.ts';
import { openLog } from '../../../deploy/log.ts';
import { forgetRefusals, listRefusals } from '../../../relay/client/status/refusals.ts';
import { reasonOf, stageOf } from '../../../relay/submission/refusal-reason.ts';
import { openRefusals } from '../../../relay/submission/refusals.ts';
import { freshDatabase } from '../../kit/database.ts';
import type { Stack } from '../../kit/stack.ts';
import { connect } from '../../kit/transcript.ts';
import { until } from '../../kit/until.ts';
import { logIn, messageWith, startRelay } from './submitting.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startRelay({ relay: { RELAY_MAX_MESSAGE_SIZE: '100000', LOG_ADDRESSES: 'masked' } });
});
afterAll(() => stack[Symbol.asyncDispose]());

const rowsOf = async (reason: string) =>
  (
    await stack.database.query<{
      stage: string;
      credential: string;
      sender: string;
      reply: string;
      count: number;
    }>('select stage, credential, sender, reply, count from refusal where reason = $1', [reason])
  ).rows;

test('at AUTH, MAIL, RCPT and DATA: one line of the log, one step of the counter, one row', async () => {
  const user = stack.relay.application.user;
  await using stranger = await connect(stack.relay.port);
  await stranger.expect('220 *');
  await stranger.send('EHLO laptop').expect('250 *');
  await stranger.authPlain('shop', 'wrong').expect('535 *');
  await stranger.send('MAIL FROM:<ann@example.com>').expect('530 *');
  await using client = await logIn(stack);
  await client.send('MAIL FROM:<eve@example.net>').expect('550 *');
  await client.send('MAIL FROM:<ann@example.com> SIZE=200000').expect('552 *');
  await client.send('MAIL FROM:<ann@example.com>').expect('250 *');
  await client.send('RCPT TO:<no address>').expect('501 *');
  await client.send('RCPT TO:<bob@example.net> NOTIFY=WHAT').expect('501 *');
  await client.send('RCPT TO:<bob@example.net>').expect('250 *');
  await client.send('DATA').expect('354 *');
  await client.raw('Subject: no From\r\n\r\nx\r\n.\r\n').expect('554 5.6.0 *');
  await (
    await client.submit({
      sender: 'ann@example.com',
      recipients: ['bob@example.net'],
      message: messageWith(`${'x'.repeat(900)}\r\n`.repeat(200)),
    })
  ).expect('552 5.3.4 *');

  await until(async () => (await rowsOf('too-large')).length === 2, { what: 'the rows to be written' });
  expect(await rowsOf('wrong-login')).toEqual([
    {
      stage: 'auth',
      credential: 'shop',
      sender: '',
      reply: expect.stringMatching(/^535 5\.7\.8 /),
      count: 1,
    },
  ]);
  expect(await rowsOf('login-required')).toMatchObject([{ stage: 'mail', credential: 'shop' }]);
  expect(await rowsOf('sender-not-allowed')).toMatchObject([
    { stage: 'mail', credential: user, reply: expect.stringContaining('eve@example.net') },
  ]);
  expect((await rowsOf('too-large')).map(({ stage }) => stage).sort()).toEqual(['data', 'mail']);
  expect(await rowsOf('bad-parameter')).toMatchObject([{ stage: 'rcpt', sender: 'ann@example.com' }]);
  expect(await rowsOf('malformed-message')).toMatchObject([{ stage: 'data', sender: 'ann@example.com' }]);

  const metrics = await (await fetch(`${stack.relay.healthUrl}/metrics`)).text();
  expect(metrics).toMatch(/postern_submission_refusals_total\{stage="auth",reason="wrong-login"[^}]*\} 1/);
  const lines = stack.relay.process.log.filter((line) => line.event === 'rejected');
  expect(lines.filter(({ reason }) => reason === 'sender-not-allowed')).toHaveLength(1);
  expect(lines.find(({ reason }) => reason === 'sender-not-allowed')).toMatchObject({
    stage: 'mail',
    client: '127.0.0.1',
    credential: user,
  });
  // Addresses are masked in the log, as everywhere.
  expect(JSON.stringify(lines)).not.toContain('eve@example.net');
});

test('a flood is a few rows with counts, however many names it uses; nobody else loses theirs', async () => {
  await using database = await freshDatabase();
  await using opened = openDatabase({ url: database.url, applicationName: 'test' });
  const log = openLog('relay', 'silent');
  const show = (address: string) => address;
  {
    await using refusals = openRefusals({ database: opened, log, metrics: undefined, show });
    const refusal = {
      stage: 'auth',
      reason: 'wrong-login',
      sender: '',
      reply: '535 5.7.8 No\u0000\r\n',
    } as const;
    for (let n = 0; n < 5_000; n++) {
      refusals.note({ ...refusal, client: `2001:db8::${(n % 500).toString(16)}`, credential: `guess ${n}` });
    }
    refusals.note({ ...refusal, client: '192.0.2.1', credential: 'shop' });
  }
  const rows = await listRefusals(opened, 100);
  const flood = rows.filter(({ client }) => client === '2001:db8:0:0::/64');
  expect(flood).toHaveLength(21);
  expect(flood.reduce((sum, { count }) => sum + count, 0)).toBe(5_000);
  expect(Math.max(...flood.map(({ count }) => count))).toBe(4_980);
  expect(rows.find(({ client }) => client === '192.0.2.1')).toMatchObject({ credential: 'shop', count: 1 });
  await database.query(`update refusal set last_at = now() - interval '2 days'`);
  expect(await forgetRefusals(opened, 3 * 86_400)).toBe(0);
  expect(await forgetRefusals(opened, 86_400)).toBe(22);
});

test('refusals of many clients wait while the database is away, in bounds', async () => {
  await using database = await freshDatabase();
  await using opened = openDatabase({ url: database.url, applicationName: 'test' });
  const log = openLog('relay', 'silent');
  await database.query('alter table refusal rename to refusal_away');
  const refusals = openRefusals({ database: opened, log, metrics: undefined, show: (address) => address });
  for (let n = 0; n < 3_000; n++) {
    const client = `198.51.${n >> 8}.${n & 255}`;
    refusals.note({
      client,
      credential: '',
      stage: 'mail',
      reason: 'login-required',
      sender: '',
      reply: '530',
    });
  }
  await refusals[Symbol.asyncDispose]();
  await database.query('alter table refusal_away rename to refusal');
  // What waits is written a hundred at a time.
  await refusals[Symbol.asyncDispose]();
  expect((await listRefusals(opened, 5_000)).length).toBe(100);
});

test.each([
  ['AUTH PLAIN x', 'auth'],
  ['mail from:<a@example.com>', 'mail'],
  ['DATA', 'data'],
  ['VRFY ann', 'other'],
  ['', 'other'],
])('%j is the stage %s', (command, stage) => {
  expect(stageOf(command)).toBe(stage);
});

test.each([
  ['auth', 454, '4.7.0 Too many failed logins', 'login-throttled'],
  ['auth', 454, '4.3.0 API keys cannot be checked right now', 'not-now'],
  ['mail', 451, '4.7.1 The key Shop has sent all that it may', 'key-limit'],
  ['other', 421, '4.7.13 This API key was revoked', 'key-ended'],
  ['connect', 421, '4.7.0 Too many sessions', 'too-many-sessions'],
  ['data', 554, '5.4.6 More than 25', 'mail-loop'],
  ['data', 550, '5.7.1 Not allowed', 'sender-not-allowed'],
  ['data', 451, '4.3.0 Away', 'not-now'],
  ['rcpt', 553, '5.6.7 Not ASCII', 'needs-smtputf8'],
  ['rcpt', 452, 'Error: too many recipients', 'too-many-recipients'],
  ['rcpt', 501, 'Error: Bad recipient address syntax', 'bad-address'],
  ['mail', 501, 'Error: duplicate SIZE parameter', 'bad-parameter'],
  ['rcpt', 503, 'Error: need MAIL command', 'out-of-order'],
  ['other', 500, 'Error: command not recognized', 'not-understood'],
  ['other', 599, 'what', 'other'],
] as const)('%s %i %s is %s', (stage, code, text, reason) => {
  expect(reasonOf(stage, code, text)).toBe(reason);
});
