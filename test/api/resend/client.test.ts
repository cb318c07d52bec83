// The unmodified client, its newest version and its first one with RESEND_BASE_URL, against the real processes: what it
// says worked is at the provider.
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type AddressObject, simpleParser } from 'mailparser';
import { Resend } from 'resend';
import { Resend as OldestResend } from 'resend-oldest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Stack, startStack } from '../../kit/stack.ts';
import { until } from '../../kit/until.ts';

let stack: Stack;
let resend: Resend;
let oldest: OldestResend;
let from: string;

type Posted = { readonly headers: IncomingHttpHeaders; readonly body: string };
const posted: Posted[] = [];
const receiver = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  posted.push({ headers: request.headers, body: Buffer.concat(chunks).toString() });
  response.end();
});

beforeAll(async () => {
  const inside = { WEBHOOK_ALLOW_PRIVATE: '127.0.0.1/32' };
  receiver.listen(0, '127.0.0.1');
  [stack] = await Promise.all([startStack({ api: inside, worker: inside }), once(receiver, 'listening')]);
  from = `Acme <${stack.provider.user}>`;
  // All that a team changes: two variables.
  process.env.RESEND_BASE_URL = `${stack.api.url}/resend`;
  process.env.RESEND_API_KEY = stack.api.key;
  resend = new Resend();
  oldest = new OldestResend(stack.api.key);
});

afterAll(async () => {
  delete process.env.RESEND_BASE_URL;
  delete process.env.RESEND_API_KEY;
  receiver.closeAllConnections();
  receiver.close();
  await stack?.[Symbol.asyncDispose]();
});

/** The data of an answer, which must be no error. */
async function good<T>(answer: Promise<{ data: T | null; error: unknown }>): Promise<T> {
  const { data, error } = await answer;
  expect(error).toBeNull();
  return data as T;
}

const arrived = async (subject: string) => {
  const raw = await until(
    async () => {
      for (const message of stack.provider.messages) {
        if (message.raw.includes(`Subject: ${subject}\r\n`)) return message.raw;
      }
      return undefined;
    },
    { what: `"${subject}" at the provider` },
  );
  return simpleParser(raw);
};

const file = Buffer.from([...Array(256).keys()]);

describe('the newest client', () => {
  test('sends a mail, and reads what became of it', async () => {
    const { id } = await good(
      resend.emails.send({
        from,
        to: ['"Delivered, Inc." <delivered@example.net>'],
        replyTo: 'help@example.com',
        subject: 'Hello world',
        html: '<strong>It works!</strong>',
        headers: { 'X-Entity-Ref-ID': '123' },
        tags: [{ name: 'category', value: 'confirm_email' }],
      }),
    );
    const mail = await arrived('Hello world');
    expect(mail.html).toContain('<strong>It works!</strong>');
    expect((mail.to as AddressObject).value).toEqual([
      { address: 'delivered@example.net', name: 'Delivered, Inc.' },
    ]);
    expect([mail.from?.text, mail.replyTo?.text, mail.headers.get('x-entity-ref-id')]).toEqual([
      `"Acme" <${stack.provider.user}>`,
      'help@example.com',
      '123',
    ]);
    const email = await until(
      async () => {
        const read = await good(resend.emails.get(id));
        return read.last_event === 'sent' && read;
      },
      { what: 'the mail to be sent' },
    );
    expect(email).toMatchObject({
      object: 'email',
      subject: 'Hello world',
      message_id: mail.messageId,
      tags: [{ name: 'category', value: 'confirm_email' }],
    });
  });

  test('sends a batch with attachments', async () => {
    const mails = ['First of the batch', 'Second of the batch'].map((subject) => ({
      from,
      to: 'ann@example.net',
      subject,
      text: 'See the file.',
      attachments: [{ filename: 'file.bin', content: file }],
    }));
    const { data } = await good(resend.batch.send(mails));
    expect(data).toHaveLength(2);
    for (const { subject } of mails) {
      const [attachment] = (await arrived(subject)).attachments;
      expect(attachment?.filename).toBe('file.bin');
      expect(attachment?.content.equals(file)).toBe(true);
    }
    const files = await good(resend.emails.attachments.list({ emailId: data[0]?.id ?? '' }));
    expect(files.data).toMatchObject([{ filename: 'file.bin', size: 256 }]);
  });

  test('sends what it can of a permissive batch, and nothing of a strict one', async () => {
    const batch = [
      { from, to: 'ann@example.net', subject: 'Permissive', text: 'Hi' },
      { from, to: 'nobody', subject: 'Nobody', text: 'Hi' },
    ];
    const strict = await resend.batch.send(batch);
    expect(strict.error).toMatchObject({ name: 'validation_error', statusCode: 422 });
    const { data, errors } = await good(resend.batch.send(batch, { batchValidation: 'permissive' }));
    expect([data.length, errors]).toEqual([1, [{ index: 1, message: expect.stringMatching(/^to /) }]]);
    await arrived('Permissive');
    expect(stack.provider.messages.filter(({ raw }) => raw.includes('Subject: Permissive\r\n'))).toHaveLength(
      1,
    );
  });

  test('schedules a mail, changes its time, and cancels it', async () => {
    const mail = { from, to: 'ann@example.net', subject: 'Later', text: 'Hi' };
    const { id } = await good(resend.emails.send({ ...mail, scheduledAt: 'in 1 hour' }));
    expect(await good(resend.emails.get(id))).toMatchObject({ last_event: 'scheduled' });
    const scheduledAt = '2040-01-02T09:00:00.000Z';
    expect(await good(resend.emails.update({ id, scheduledAt }))).toMatchObject({ object: 'email', id });
    expect(await good(resend.emails.get(id))).toMatchObject({ scheduled_at: scheduledAt });
    expect(await good(resend.emails.cancel(id))).toEqual({ object: 'email', id });
    expect(await good(resend.emails.get(id))).toMatchObject({ last_event: 'canceled' });
    const { error } = await resend.emails.send({ ...mail, scheduledAt: 'whenever' });
    expect(error).toMatchObject({ statusCode: 422, message: expect.stringMatching(/^scheduled_at cannot/) });
  });

  test('pages through the list', async () => {
    const first = await good(resend.emails.list({ limit: 2 }));
    expect([first.object, first.data.length, first.has_more]).toEqual(['list', 2, true]);
    const [newest, last] = first.data.map(({ id }) => id);
    const second = await good(resend.emails.list({ limit: 2, after: last ?? '' }));
    const back = await good(resend.emails.list({ limit: 2, before: second.data[0]?.id ?? '' }));
    expect(back.data.map(({ id }) => id)).toEqual([newest, last]);
  });

  test('repeats a request under one key, and it happens once', async () => {
    const mail = { from, to: 'ann@example.net', subject: 'Only once', text: 'Hi' };
    const idempotencyKey = `welcome-user/${'1'.repeat(243)}`;
    expect(idempotencyKey).toHaveLength(256);
    const { id } = await good(resend.emails.send(mail, { idempotencyKey }));
    expect(await good(resend.emails.send(mail, { idempotencyKey }))).toEqual({ id });
    const { error } = await resend.emails.send({ ...mail, text: 'Other' }, { idempotencyKey });
    expect(error).toMatchObject({ statusCode: 409, name: 'invalid_idempotent_request' });
    await arrived('Only once');
    expect(stack.provider.messages.filter(({ raw }) => raw.includes('Subject: Only once'))).toHaveLength(1);
  });

  test('is told what is wrong in the way it expects', async () => {
    const mail = { from, to: 'ann@example.net', subject: 'Never', text: 'Hi' };
    const wrong = await new Resend('re_wrong').emails.send(mail);
    expect(wrong.error).toMatchObject({ statusCode: 403, name: 'invalid_api_key' });
    const foreign = await resend.emails.send({ ...mail, from: 'a@elsewhere.example' });
    expect(foreign.error).toMatchObject({ statusCode: 403, name: 'invalid_from_address' });
    const none = await resend.emails.get('0197e4a6-0000-7000-8000-000000000000');
    expect(none.error).toMatchObject({ statusCode: 404, name: 'not_found' });
    const broadcast = await resend.broadcasts.send('1');
    expect(broadcast.error).toMatchObject({
      statusCode: 501,
      message: expect.stringContaining('newsletters'),
    });
  });

  test('makes a webhook, and verifies what arrives, with the headers its examples read', async () => {
    const endpoint = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
    const { signing_secret: webhookSecret } = await good(
      resend.webhooks.create({ endpoint, events: ['email.sent'] }),
    );
    const { id } = await good(
      resend.emails.send({ from, to: 'ann@example.net', subject: 'Told', text: 'Hi' }),
    );
    const { headers, body } = await until(() => posted[0], { what: 'the event' });
    for (const family of ['svix', 'webhook']) {
      const verified = resend.webhooks.verify({
        payload: body,
        headers: {
          id: String(headers[`${family}-id`]),
          timestamp: String(headers[`${family}-timestamp`]),
          signature: String(headers[`${family}-signature`]),
        },
        webhookSecret,
      });
      expect(verified).toMatchObject({ type: 'email.sent', data: { email_id: id } });
    }
  });

  test('manages suppressions and keys', async () => {
    const { id } = await good(resend.suppressions.add({ email: 'gone@example.net' }));
    expect(await good(resend.suppressions.get('gone@example.net'))).toMatchObject({ id, origin: 'manual' });
    expect(await good(resend.suppressions.remove(id))).toMatchObject({ deleted: true });
    const key = await good(resend.apiKeys.create({ name: 'Shop', permission: 'sending_access' }));
    const shop = new Resend(key.token);
    await good(shop.emails.send({ from, to: 'ann@example.net', subject: 'By the shop', text: 'Hi' }));
    expect(await good(resend.apiKeys.remove(key.id))).toMatchObject({ deleted: true });
    expect((await shop.emails.list()).error).toMatchObject({ name: 'invalid_api_key' });
  });
});

describe('the first client with RESEND_BASE_URL', () => {
  test('sends a mail with a Buffer as JSON writes it', async () => {
    // Its declaration does not know them yet, and it passes them on.
    const attachments = { attachments: [{ filename: 'file.bin', content: file }] };
    const mail = { from, to: 'ann@example.net', subject: 'From the first', text: 'Hi', ...attachments };
    expect(await oldest.sendEmail(mail)).toMatchObject({ id: expect.any(String) });
    const [attachment] = (await arrived('From the first')).attachments;
    expect(attachment?.content.equals(file)).toBe(true);
  });

  test('throws what is wrong', async () => {
    const refusal = oldest.sendEmail({ from, to: 'nobody', subject: 'Never', text: 'Hi' });
    await expect(refusal).rejects.toMatchObject({
      response: { status: 422, data: { name: 'validation_error', statusCode: 422 } },
    });
  });
});
