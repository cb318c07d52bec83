import { expect, test } from 'vitest';
import { startStack } from '../../kit/stack.ts';
import { until } from '../../kit/until.ts';
import { logIn, messageWith, storedBytes, submitted } from './submitting.ts';

test('what is accepted goes out at once, octet for octet as it is stored', async () => {
  await using stack = await startStack({
    processes: ['relay'],
    relay: { SMTP_ALLOWED_SENDERS: '*' },
  });
  await using client = await logIn(stack);
  const body = '.\r\n..\r\nMAIL FROM:<x>\r\n.x\r\n\x01\x7f\x80\xff\r\n';
  const queueId = await submitted(client, messageWith(body), ['bob@example.net']);
  const [message] = await until(() => stack.provider.messages.length > 0 && stack.provider.messages);
  expect(message?.raw.equals(await storedBytes(stack, queueId))).toBe(true);
  expect(message?.raw.toString('latin1')).toContain(`\r\n\r\n${body}`);
});
