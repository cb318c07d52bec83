// A relay that keeps what it takes, and someone who knows how to talk to it: what the tests of this folder share.

import { type Stack, type StackWishes, startStack } from '../../kit/stack.ts';
import { type ConnectWishes, connect, type Transcript } from '../../kit/transcript.ts';

/** A real relay process. Without other wishes it captures: what it accepted can be looked at and goes nowhere. */
export function startRelay(wishes: StackWishes = {}): Promise<Stack> {
  return startStack({
    processes: ['relay'],
    ...wishes,
    relay: { DELIVERY_MODE: 'capture', SMTP_ALLOWED_SENDERS: '*@example.com', ...wishes.relay },
  });
}

/** A session that has said EHLO and is logged in as another application. */
export async function logIn(
  { relay }: Stack,
  { user, password } = relay.application,
  wishes: ConnectWishes & { readonly port?: number } = {},
): Promise<Transcript> {
  const client = await connect(wishes.port ?? relay.port, wishes);
  await client.expect('220 *');
  await client.send('EHLO laptop.example.com').expect('250 *');
  await client.authPlain(user, password).expect('235 2.7.0 *');
  return client;
}

export const handedOut = /queued as ([0-9A-HJKMNP-TV-Z]{16})$/;

/** A message with exactly these octets behind the fields that every message needs. */
export function messageWith(body: string, fields: readonly string[] = []): Buffer {
  const header = [
    'From: Ann <ann@example.com>',
    'To: bob@example.net',
    'Subject: test',
    'Date: Mon, 5 Jan 2026 10:00:00 +0000',
    'Message-ID: <1@example.com>',
    ...fields,
  ];
  return Buffer.from(`${header.join('\r\n')}\r\n\r\n${body}`, 'latin1');
}

/** Submits and expects a yes; the queue id. */
export async function submitted(
  client: Transcript,
  message: string | Uint8Array,
  recipients: readonly string[] = ['bob@example.net'],
  sender = 'ann@example.com',
): Promise<string> {
  const reply = await (await client.submit({ sender, recipients, message })).expect('250 2.0.0 queued as *');
  return handedOut.exec(reply.text)?.[1] ?? '';
}

/** The octets under a queue id, as they would be sent. */
export async function storedBytes({ database }: Stack, queueId: string): Promise<Buffer> {
  const { rows } = await database.query<{ content: Buffer }>(
    'select content from message_part where queue_id = $1 order by part',
    [queueId],
  );
  return Buffer.concat(rows.map(({ content }) => content));
}

/** The stored octets without our Received field: what the client would recognise. */
export async function relayedBytes(stack: Stack, queueId: string): Promise<string> {
  const stored = (await storedBytes(stack, queueId)).toString('latin1');
  return stored.replace(/^Received: [^\r]*\r\n(?:\t[^\r]*\r\n)*/, '');
}

export async function countRows({ database }: Stack, table: string): Promise<number> {
  const { rows } = await database.query<{ n: string }>(`select count(*) as n from ${table}`);
  return Number(rows[0]?.n);
}
