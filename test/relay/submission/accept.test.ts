import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Stack } from '../../kit/stack.ts';
import { logIn, messageWith, relayedBytes, startRelay, submitted } from './submitting.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startRelay();
});
afterAll(() => stack[Symbol.asyncDispose]());

test('a 250 names the queue id under which message, parts, recipients and timeline are committed', async () => {
  await using client = await logIn(stack);
  const message = messageWith('hello\r\n');
  const queueId = await submitted(client, message, ['bob@example.net', 'eve@example.net']);
  expect(queueId).toMatch(/^[0-9A-HJKMNP-TV-Z]{16}$/);

  const { rows: messages } = await stack.database.query('select * from message where queue_id = $1', [
    queueId,
  ]);
  expect(messages).toMatchObject([
    {
      credential: 'application',
      sender: 'ann@example.com',
      header_from: 'ann@example.com',
      message_id: '<1@example.com>',
      smtputf8: false,
      eight_bit: false,
    },
  ]);
  const { rows: recipients } = await stack.database.query(
    'select address, status from recipient where queue_id = $1 order by ordinal',
    [queueId],
  );
  expect(recipients).toEqual([
    { address: 'bob@example.net', status: 'captured' },
    { address: 'eve@example.net', status: 'captured' },
  ]);
  const { rows: events } = await stack.database.query(
    'select type, detail from event where queue_id = $1 order by id',
    [queueId],
  );
  expect(events.map(({ type }) => type)).toEqual(['queued', 'captured']);
  expect(events[0]?.detail).toMatchObject({ credential: 'application', client: '127.0.0.1', recipients: 2 });
  expect(await relayedBytes(stack, queueId)).toBe(message.toString('latin1'));
});
