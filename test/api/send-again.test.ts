// An email is sent again: a new one with the same content, linked to the old one.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { uuidv7 } from '../../deploy/uuid.ts';
import { type Api, startApi } from './in-process.ts';

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api[Symbol.asyncDispose]());

const send = async (more: object = {}) =>
  (
    await api.post('/api/v1/emails', {
      to: 'Ann Example <ann@example.com>',
      bcc: 'ben@example.com',
      subject: 'Your receipt',
      text: 'Thank you.',
      html: '<p>Thank you.</p>',
      headers: { 'X-Order': '4711' },
      tags: [{ name: 'app', value: 'shop' }],
      ...more,
    })
  ).body;

const finish = (id: string, status: string) =>
  api.query(
    `update email set status = $2::mail_status, next_hand_over_at = null, finished_at = now(),
       queue_id = left(md5($1::text), 16), accepted_at = now() where id = $1::uuid`,
    [id, status],
  );
const again = (id: string, wishes = {}) => api.post(`/api/v1/emails/${id}/send-again`, undefined, wishes);

test.each(['sent', 'cancelled', 'bounced'])(
  'one that is %s has the same content in a new email',
  async (status) => {
    const first = await send({
      attachments: [
        {
          filename: 'receipt.pdf',
          content: Buffer.from('pdf').toString('base64'),
          content_type: 'application/pdf',
        },
      ],
    });
    await finish(first.id, status);
    const answer = await again(first.id);
    expect(answer.status, JSON.stringify(answer.body)).toBe(202);
    expect(answer.headers.get('location')).toBe(`/api/v1/emails/${answer.body.id}`);
    const [old, made] = await Promise.all(
      [first.id, answer.body.id].map(async (id) => (await api.get(`/api/v1/emails/${id}`)).body),
    );
    const content = ({ from, to, cc, bcc, reply_to, subject, text, html, headers, tags }: typeof old) => ({
      ...{ from, to, cc, bcc, reply_to, subject, text, html, headers, tags },
    });
    expect(content(made)).toEqual(content(old));
    expect(made).toMatchObject({ again_of: first.id, status: 'pending', kind: 'single' });
    expect(made.message_id).not.toBe(old.message_id);
    expect(old).toMatchObject({ again_of: null, status });
    const { rows } = await api.query(
      'select filename, content_type, content from email_attachment where email_id = $1',
      [made.id],
    );
    expect(rows).toEqual([
      { filename: 'receipt.pdf', content_type: 'application/pdf', content: Buffer.from('pdf') },
    ]);
    const events = (await api.get(`/api/v1/emails/${first.id}/events`)).body.data;
    expect(events.at(-1)).toMatchObject({ type: 'sent-again', detail: { emailId: made.id } });
  },
);

test('a scheduled one leaves at once and is no entry of its form', async () => {
  const first = await send({ scheduled_datetime: '2031-03-01T09:00:00Z' });
  const { body } = await again(first.id);
  expect(body).toMatchObject({ kind: 'single', again_of: first.id, key: null });
  expect(new Date(body.scheduled_datetime).getTime()).toBeLessThanOrEqual(Date.now() + 60_000);
});

test('409 when its body is no longer stored, and for an invitation', async () => {
  const erased = await send();
  await finish(erased.id, 'sent');
  await api.query('update email set erased_at = now(), text_body = null, html_body = null where id = $1', [
    erased.id,
  ]);
  const refused = await again(erased.id);
  expect([refused.status, refused.body.type, refused.body.current_status]).toEqual([
    409,
    '/problems/email-state',
    'sent',
  ]);
  expect(refused.body.detail).toContain('no longer stored');

  const invitation = await send();
  await api.query(`update email set kind = 'invitation' where id = $1`, [invitation.id]);
  expect((await again(invitation.id)).body.detail).toContain('new link');
  expect(
    (await api.query('select from email where again_of = any($1)', [[erased.id, invitation.id]])).rowCount,
  ).toBe(0);
});

test('the same Idempotency-Key sends once, and nobody sends the mail of another key', async () => {
  const first = await send();
  const headers = { 'idempotency-key': uuidv7() };
  const [one, other] = [await again(first.id, { headers }), await again(first.id, { headers })];
  expect(other.body.id).toBe(one.body.id);
  expect((await again(uuidv7())).status).toBe(404);
});
