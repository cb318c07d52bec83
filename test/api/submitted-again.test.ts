// Mail that came over SMTP is sent again: a new one with the same octets, linked to the old one.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { renewHeader } from '../../relay/client/message/renew-header.ts';
import { newQueueId } from '../../relay/client/queue-id.ts';
import { type Api, startApi } from './in-process.ts';

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api[Symbol.asyncDispose]());

const letter = (header: string) =>
  Buffer.from(`${header}\r\n\r\nGr\xfc\xdfe\r\n`.replaceAll(/\r?\n/g, '\r\n'), 'latin1');
const usual = `Received: from shop\n by postern\nMessage-ID: <old@shop.example.com>\nFrom: Shop <shop@example.com>
Date: Mon, 3 Mar 2025 10:00:00 +0100\nSubject: Hello`;

async function submitted({
  parts = [letter(usual)],
  credential = 'shop',
  sender = 'shop@example.com',
}: {
  parts?: readonly Buffer[];
  credential?: string;
  sender?: string;
} = {}) {
  const id = newQueueId();
  const size = parts.reduce((sum, { length }) => sum + length, 0);
  await api.query(
    `insert into message (queue_id, credential, sender, header_from, message_id, subject, size, priority, stream, tags, envid, submitted)
     values ($1, $2, $3, 'shop@example.com', '<old@shop.example.com>', 'Hello', $4, 1, 'news', '[{"name": "app", "value": "shop"}]',
       'E7', '{"recipients": 2, "client": "10.0.0.1"}')`,
    [id, credential, sender, size],
  );
  await api.query(
    `insert into recipient (queue_id, ordinal, address, status, priority, finished_at, reply, notify)
     values ($1, 0, 'ann@example.com', 'sent', 1, now(), '250 OK', 'NEVER'), ($1, 1, 'ben@example.com', 'bounced', 1, now(), '550 No', null)`,
    [id],
  );
  for (const [part, content] of parts.entries())
    await api.query('insert into message_part (queue_id, part, content) values ($1, $2, $3)', [
      id,
      part,
      content,
    ]);
  return id;
}
const again = (id: string, wishes = {}) =>
  api.post(`/api/v1/submitted-emails/${id}/send-again`, undefined, wishes);

test('sent to all again, with the same octets but for Message-ID and Date, and everything that it was', async () => {
  const rest = Buffer.from(Uint8Array.from({ length: 256 }, (_, octet) => octet));
  const id = await submitted({ parts: [letter(usual), rest] });
  const wishes = { headers: { 'idempotency-key': 'once' } };
  const [{ status, body }, { body: repeated }] = [await again(id, wishes), await again(id, wishes)];
  expect(status, JSON.stringify(body)).toBe(202);
  expect(body).toMatchObject({ again_of: id, recipients: 2 });
  expect(repeated).toEqual(body);
  const { rows } = await api.query<{ part: number; content: Buffer; size: number }>(
    `select p.part, p.content, m.size from message_part p join message m using (queue_id)
     where queue_id = $1 and m.again_of = $2 and m.stream = 'news' and m.envid = 'E7' and m.subject = 'Hello' order by part`,
    [body.id, id],
  );
  const [first, second] = rows.map(({ content }) => content);
  expect(second).toEqual(rest);
  expect(rows[0]?.size).toBe((first?.length ?? 0) + rest.length);
  const text = first?.toString('latin1') ?? '';
  expect(text).toContain(`Message-ID: ${body.message_id}\r\nDate: `);
  expect(text).toContain('Received: from shop\r\n by postern\r\nMessage-ID');
  expect(text).toContain('Subject: Hello\r\n\r\nGr\xfc\xdfe\r\n');
  expect(text).not.toContain('old@shop.example.com');
  expect(text).not.toContain('2025');
  const { rows: recipients } = await api.query(
    'select address, status, notify from recipient where queue_id = $1 order by ordinal',
    [body.id],
  );
  expect(recipients).toEqual([
    { address: 'ann@example.com', status: 'queued', notify: 'NEVER' },
    { address: 'ben@example.com', status: 'queued', notify: null },
  ]);
  const { body: list } = await api.get('/api/v1/submitted-emails?limit=1');
  expect(list.data[0]).toMatchObject({ id: body.id, again_of: id, message_id: body.message_id });
});

test('what cannot be sent again says why, and nothing is queued', async () => {
  const gone = await submitted({ parts: [] });
  const signed = await submitted({ parts: [letter(`DKIM-Signature: v=1; a=rsa-sha256\n${usual}`)] });
  const notice = await submitted({ sender: '' });
  const endless = await submitted({ parts: [Buffer.from('Subject: no end\r\n')] });
  const erased = await submitted();
  await api.query(`update recipient set address = 'erased@erased.invalid' where queue_id = $1`, [erased]);
  const before = await api.query('select count(*) from message');
  for (const [id, why] of [
    [gone, 'Its body is no longer stored.'],
    [signed, 'DKIM signature'],
    [notice, 'notices are not sent again'],
    [endless, 'header'],
    [erased, 'recipients are no longer known'],
  ] as const) {
    const { status, body } = await again(id);
    expect([status, body.type]).toEqual([409, '/problems/email-state']);
    expect(body.detail).toContain(why);
  }
  expect((await again(newQueueId())).status).toBe(404);
  expect((await api.query('select count(*) from message')).rows).toEqual(before.rows);
});

test('a key sends again only its own mail', async () => {
  const { body: key } = await api.post('/api/v1/keys', {
    name: 'Shop',
    scopes: ['send'],
    senders: ['shop@example.com'],
  });
  const asKey = { key: key.secret };
  expect((await again(await submitted(), asKey)).status).toBe(404);
  expect((await again(await submitted({ credential: `key:${key.id}` }), asKey)).status).toBe(202);
});

test('a header without these fields gets them', () => {
  const renewed = renewHeader(
    letter('From: a@example.com'),
    '<new@example.com>',
    new Date('2026-03-04T05:06:07Z'),
  );
  expect(renewed.outcome === 'renewed' && renewed.bytes.toString('latin1')).toBe(
    'Message-ID: <new@example.com>\r\nDate: Wed, 04 Mar 2026 05:06:07 +0000\r\nFrom: a@example.com\r\n\r\nGr\xfc\xdfe\r\n',
  );
});
