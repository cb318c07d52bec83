import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Api, startApi } from './in-process.ts';

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api[Symbol.asyncDispose]());

let counter = 0;
const newClient = () => `/api/v1/client/client-${++counter}`;
const inHours = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString();
const entry = (key: string, more: object = {}) => ({
  key,
  subject: `About ${key}`,
  text: 'Hello.',
  scheduled_datetime: '2040-01-01T09:00:00Z',
  ...more,
});
const form = (emails: object[], more: object = {}) => ({
  enabled: true,
  recipients: ['ann@example.com'],
  emails,
  ...more,
});

async function leave(emailId: string) {
  await api.query(
    `update email set status = 'sent', queue_id = $2, accepted_at = now(), finished_at = now(), next_hand_over_at = null
     where id = $1`,
    [emailId, emailId.slice(-16)],
  );
}

describe('a form', () => {
  test('saving it ten times creates once and changes nothing afterwards', async () => {
    const client = newClient();
    const asked = form([entry('a'), entry('b')], { time_zone: 'Europe/Berlin', from_name: 'The Shop' });
    const first = await api.put(`${client}/email-config`, asked);
    expect(first.status).toBe(200);
    expect(first.body.scheduled).toEqual({ kept: 0, updated: 0, created: 2, cancelled: 0 });
    const ids = first.body.emails.map(({ id }: { id: string }) => id);
    for (let save = 0; save < 9; save++) {
      const { body } = await api.put(`${client}/email-config`, asked);
      expect(body.scheduled).toEqual({ kept: 2, updated: 0, created: 0, cancelled: 0 });
      expect(body.emails.map(({ id }: { id: string }) => id)).toEqual(ids);
    }
    const read = await api.get(`${client}/email-config`);
    expect(read.body.config).toMatchObject({
      enabled: true,
      from_name: 'The Shop',
      time_zone: 'Europe/Berlin',
    });
    expect(read.body.emails[0]).toMatchObject({ key: 'a', text: 'Hello.', locked: false });
  });

  test('it is reconciled by key: kept, updated in place, created, cancelled; what has left is locked', async () => {
    const client = newClient();
    const first = await api.put(
      `${client}/email-config`,
      form(['keep', 'change', 'remove', 'gone'].map((key) => entry(key))),
    );
    const idOf = (body: { emails: { key: string; id: string }[] }, key: string) =>
      body.emails.find((email) => email.key === key)?.id ?? '';
    await leave(idOf(first.body, 'gone'));

    const second = await api.put(
      `${client}/email-config`,
      form([
        entry('keep'),
        entry('change', { subject: 'New' }),
        entry('gone', { subject: 'Too late' }),
        entry('fresh'),
      ]),
    );
    expect(second.body.scheduled).toEqual({ kept: 2, updated: 1, created: 1, cancelled: 1 });
    expect(second.body.warnings).toEqual([{ key: 'gone', reason: 'locked', status: 'sent' }]);
    expect(idOf(second.body, 'change')).toBe(idOf(first.body, 'change'));
    expect(second.body.emails.find(({ key }: { key: string }) => key === 'gone')).toMatchObject({
      subject: 'About gone',
      locked: true,
    });
    expect((await api.get(`/api/v1/scheduled-emails/${idOf(first.body, 'remove')}`)).body.status).toBe(
      'cancelled',
    );
  });

  test('it can be emptied, recipients and all', async () => {
    const client = newClient();
    await api.put(`${client}/email-config`, form([entry('last')]));
    const { status, body } = await api.put(`${client}/email-config`, form([], { recipients: [] }));
    expect(status).toBe(200);
    expect(body).toMatchObject({ config: { recipients: [] }, scheduled: { cancelled: 1 }, emails: [] });
  });

  test('every entry at fault is named, and nothing of the form is saved', async () => {
    const client = newClient();
    const { status, body } = await api.put(
      `${client}/email-config`,
      form([
        entry('a', { scheduled_datetime: '2040-01-01T09:00:00' }),
        entry('b'),
        entry('b'),
        entry('c', { scheduled_datetime: 'soon' }),
      ]),
    );
    expect(status).toBe(422);
    expect(body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual([
      '#/emails/0/scheduled_datetime',
      '#/emails/2/key',
      '#/emails/3/scheduled_datetime',
    ]);
    const past = await api.put(
      `${client}/email-config`,
      form([entry('a'), entry('b', { scheduled_datetime: inHours(-1) })]),
    );
    expect([past.status, past.body.errors[0].pointer]).toEqual([422, '#/emails/1/scheduled_datetime']);
    expect((await api.get(`${client}/email-config`)).status).toBe(404);
    expect((await api.get(`${client}/scheduled-emails`)).body.data).toEqual([]);
  });

  test('a form that still lists an entry that was sent can be saved', async () => {
    const client = newClient();
    const asked = form([entry('old', { scheduled_datetime: inHours(1) }), entry('new')]);
    const { body } = await api.put(`${client}/email-config`, asked);
    const old = body.emails.find(({ key }: { key: string }) => key === 'old');
    await api.query(`update email set due_at = due_at - interval '2 hours' where id = $1`, [old.id]);
    await leave(old.id);
    const sent = asked.emails.map((each, index) =>
      index === 0
        ? {
            ...each,
            scheduled_datetime: new Date(Date.parse(old.scheduled_datetime) - 7_200_000).toISOString(),
          }
        : each,
    );
    const again = await api.put(`${client}/email-config`, { ...asked, emails: sent });
    expect(again.status).toBe(200);
    expect(again.body.scheduled).toEqual({ kept: 2, updated: 0, created: 0, cancelled: 0 });
  });

  test('disabling pauses without cancelling, enabling resumes', async () => {
    const client = newClient();
    await api.put(`${client}/email-config`, form([entry('a')]));
    const paused = await api.put(`${client}/email-config`, form([entry('a')], { enabled: false }));
    expect(paused.body.emails[0]).toMatchObject({ status: 'pending', paused: true });
    const resumed = await api.put(`${client}/email-config`, form([entry('a')]));
    expect(resumed.body.emails[0]).toMatchObject({ status: 'pending', paused: false });
    expect(resumed.body.emails[0].id).toBe(paused.body.emails[0].id);
  });

  test('ten saves at once make each entry once', async () => {
    const client = newClient();
    const asked = form([entry('a'), entry('b')]);
    const replies = await Promise.all(
      Array.from({ length: 10 }, () => api.put(`${client}/email-config`, asked)),
    );
    expect(replies.map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect(replies.reduce((sum, { body }) => sum + body.scheduled.created, 0)).toBe(2);
    expect((await api.get(`${client}/scheduled-emails`)).body.data).toHaveLength(2);
  });
});

describe('one scheduled mail', () => {
  async function scheduled(more: object = {}) {
    const { body } = await api.post('/api/v1/emails', {
      to: 'ann@example.com',
      subject: 'Later',
      text: 'Hello.',
      scheduled_datetime: inHours(24),
      ...more,
    });
    return `/api/v1/scheduled-emails/${body.id}`;
  }

  test('its time and words change under If-Match, and a change that somebody else overtook is refused', async () => {
    const path = await scheduled();
    const read = await api.get(path);
    const etag = read.headers.get('etag') ?? '';
    const moved = await api.patch(
      path,
      { scheduled_datetime: '2041-06-01T08:00:00', time_zone: 'America/New_York', subject: 'Moved' },
      { headers: { 'if-match': etag } },
    );
    expect(moved.status).toBe(200);
    expect(moved.body).toMatchObject({ scheduled_datetime: '2041-06-01T12:00:00.000Z', subject: 'Moved' });
    expect(moved.headers.get('etag')).not.toBe(etag);

    const overtaken = await api.patch(path, { subject: 'Again' }, { headers: { 'if-match': etag } });
    expect([overtaken.status, overtaken.body.type]).toEqual([412, '/problems/precondition-failed']);
    expect(overtaken.headers.get('etag')).toBe(moved.headers.get('etag'));
    expect((await api.patch(path, { text: 'Without If-Match' })).status).toBe(200);
  });

  test('a past or naive time is refused, and what has left cannot be changed or called back', async () => {
    const path = await scheduled();
    expect((await api.patch(path, { scheduled_datetime: inHours(-1) })).status).toBe(422);
    expect((await api.patch(path, { scheduled_datetime: '2041-06-01T08:00:00' })).status).toBe(422);
    await leave(path.slice(-36));
    for (const reply of [await api.patch(path, { subject: 'x' }), await api.post(`${path}/send-now`)]) {
      expect([reply.status, reply.body.current_status]).toEqual([409, 'sent']);
    }
    expect((await api.delete(path)).body.current_status).toBe('sent');
  });

  test('cancelling works by POST and by DELETE, and twice', async () => {
    const path = await scheduled();
    expect((await api.delete(path)).body.status).toBe('cancelled');
    expect((await api.post(`${path}/cancel`)).status).toBe(200);
  });

  test('the list is soonest first and knows clients and statuses', async () => {
    const client = newClient();
    await api.put(
      `${client}/email-config`,
      form([
        entry('late', { scheduled_datetime: inHours(9) }),
        entry('soon', { scheduled_datetime: inHours(2) }),
      ]),
    );
    const { body } = await api.get(`${client}/scheduled-emails?status=pending&limit=1`);
    expect(body.data.map(({ key }: { key: string }) => key)).toEqual(['soon']);
    const rest = await api.get(`${client}/scheduled-emails?status=pending&limit=1&after=${body.next}`);
    expect(rest.body.data.map(({ key }: { key: string }) => key)).toEqual(['late']);
    expect((await api.get(`${client}/scheduled-emails?status=sent`)).body.data).toEqual([]);
    const all = await api.get('/api/v1/scheduled-emails?limit=100');
    const times = all.body.data.map((mail: { scheduled_datetime: string }) => mail.scheduled_datetime);
    expect(times).toEqual(times.toSorted());
  });

  test('processing hands over what is due; with the relay away it is put off, not lost', async () => {
    const path = await scheduled();
    await api.query(`update email set due_at = now(), next_hand_over_at = now() where id = $1`, [
      path.slice(-36),
    ]);
    const { status, body } = await api.post('/api/v1/process-scheduled-emails');
    expect(status).toBe(200);
    expect(body).toMatchObject({ handed_over: 0, refused: 0 });
    expect(body.put_off).toBeGreaterThanOrEqual(1);
    expect((await api.get(path)).body.status).toBe('pending');
  });

  test('a mail that is no scheduled one is not found here', async () => {
    const { body } = await api.post('/api/v1/emails', { to: 'ann@example.com', subject: 'Now', text: 'x' });
    expect((await api.get(`/api/v1/scheduled-emails/${body.id}`)).status).toBe(404);
    expect((await api.delete(`/api/v1/scheduled-emails/${body.id}`)).status).toBe(404);
  });
});
