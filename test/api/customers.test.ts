import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Api, startApi } from './in-process.ts';

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api[Symbol.asyncDispose]());

let counter = 0;
const newcomer = (more: object = {}) => {
  counter++;
  return {
    name: `Bakery ${counter}`,
    email: `office${counter}@example.com`,
    owner: { name: 'Ann Example', email: `ann${counter}@example.com` },
    ...more,
  };
};

async function mailOf(emailId: string) {
  const { rows } = await api.query<{
    subject: string;
    text_body: string;
    html_body: string;
    recipients: unknown;
    from_address: string;
    status: string;
  }>('select * from email where id = $1', [emailId]);
  return rows[0];
}

const tokenIn = (text: string | undefined) => /#token=([\w-]{43})/.exec(text ?? '')?.[1] ?? '';

async function invited() {
  const { body } = await api.post('/api/customers', newcomer({ sendInvitation: true }));
  const mail = await mailOf(body.invitation.email_id);
  return { ...body, token: tokenIn(mail?.text_body) };
}

describe('creating', () => {
  test('a customer is created with owner and invitation, whatever state mail is in', async () => {
    const asked = newcomer({ sendInvitation: true });
    const { status, body, headers } = await api.post('/api/customers', asked);

    expect(status).toBe(201);
    expect(body.customer).toMatchObject({ name: asked.name, email: asked.email, status: 'invited' });
    expect(body.owner).toMatchObject(asked.owner);
    // Nobody listens where the relay should be.
    expect(body.invitation).toMatchObject({ status: 'pending' });
    expect(headers.get('location')).toBe(`/api/customers/${body.customer.id}`);
    const mail = await mailOf(body.invitation.email_id);
    expect(mail?.from_address).toBe('hello@example.com');
    expect(mail?.recipients).toEqual([{ kind: 'to', address: asked.owner.email, name: 'Ann Example' }]);
  });

  test('the invitation greets by name, carries the link and says when it expires, in text and HTML', async () => {
    const { body } = await api.post(
      '/api/customers',
      newcomer({ name: 'Salt & <Pepper>', sendInvitation: true }),
    );
    const mail = await mailOf(body.invitation.email_id);
    const link = new RegExp(`${api.publicUrl}/invitation#token=[\\w-]{43}`);
    expect(mail?.subject).toBe('Your invitation to Salt & <Pepper>');
    expect(mail?.text_body).toMatch(/^Hello Ann Example,/);
    expect(mail?.text_body).toMatch(link);
    expect(mail?.text_body).toMatch(/until \w+, \d+ \w+ 20\d\d at \d\d:\d\d UTC/);
    expect(mail?.html_body).toMatch(link);
    expect(mail?.html_body).toContain('Salt &amp; &lt;Pepper&gt;');
    expect(mail?.html_body).not.toContain('<Pepper>');
  });

  test('the token is stored as a digest only', async () => {
    const { token } = await invited();
    const { rows } = await api.query<{ found: boolean }>(
      `select bool_or(token_hash = sha256($1::bytea)) as found from invitation`,
      [Buffer.from(token)],
    );
    expect(rows[0]?.found).toBe(true);
  });

  test('without sendInvitation there is no mail, and without an owner the customer is its own', async () => {
    const { owner: _, ...asked } = newcomer();
    const { status, body } = await api.post('/api/customers', asked);
    expect(status).toBe(201);
    expect(body.invitation).toBeNull();
    expect(body.owner).toMatchObject({ name: asked.name, email: asked.email });
  });

  test('an address is taken whatever its case, and nothing of the second customer stays', async () => {
    const asked = newcomer({ sendInvitation: true });
    const first = await api.post('/api/customers', asked);
    const before = await countEverything();
    const second = await api.post('/api/customers', { ...asked, email: asked.email.toUpperCase() });
    expect(second.status).toBe(409);
    expect(second.headers.get('content-type')).toContain('application/problem+json');
    expect(second.body).toMatchObject({
      type: '/problems/customer-exists',
      status: 409,
      customer_id: first.body.customer.id,
      errors: [{ pointer: '#/email' }],
    });
    expect(await countEverything()).toEqual(before);
  });

  test('twenty requests for one address at once make one customer', async () => {
    const asked = newcomer({ sendInvitation: true });
    const replies = await Promise.all(Array.from({ length: 20 }, () => api.post('/api/customers', asked)));
    expect(replies.map(({ status }) => status).sort()).toEqual([201, ...Array(19).fill(409)]);
  });

  test('every fault is named at once, with what arrived and what is accepted', async () => {
    const before = await countEverything();
    const { status, body } = await api.post('/api/customers', {
      name: 'Two\r\nBcc: everybody@example.com',
      email: 'not an address',
      owner: { name: '', email: 7 },
      sendInvitation: 'yes',
      extra: 1,
    });
    expect(status).toBe(422);
    expect(body.type).toBe('/problems/invalid-fields');
    expect(body.errors.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual([
      '#/email',
      '#/extra',
      '#/name',
      '#/owner/email',
      '#/owner/name',
      '#/sendInvitation',
    ]);
    expect(body.errors).toContainEqual({
      in: 'body',
      pointer: '#/sendInvitation',
      detail: 'must be a boolean',
      received: 'yes',
      accepted: 'boolean',
    });
    const unknown = body.errors.find(({ pointer }: { pointer: string }) => pointer === '#/extra');
    expect(unknown.accepted).toEqual(['name', 'email', 'owner', 'sendInvitation']);
    expect(await countEverything()).toEqual(before);
  });

  test('while no From address is known, the mail is held with the reason and the answer is still 201', async () => {
    await using unconfigured = await startApi({ from: null });
    const { status, body } = await unconfigured.post('/api/customers', newcomer({ sendInvitation: true }));
    expect(status).toBe(201);
    expect(body.invitation.status).toBe('held');
    const email = await unconfigured.get(`/api/v1/emails/${body.invitation.email_id}`);
    expect(email.body).toMatchObject({ status: 'held', reason: 'not-configured', from: null });
  });
});

describe('reading', () => {
  test('a customer is read with its owner and its latest invitation', async () => {
    const { customer, invitation } = await invited();
    const { status, body } = await api.get(`/api/customers/${customer.id}`);
    expect(status).toBe(200);
    expect(body.customer).toEqual(customer);
    expect(body.invitation).toMatchObject({ email_id: invitation.email_id, accepted_at: null });
  });

  test('an id that nobody has and an id that is none are both not found', async () => {
    for (const id of ['0197e4a6-0000-7000-8000-000000000000', 'seven']) {
      const { status, body } = await api.get(`/api/customers/${id}`);
      expect(status).toBe(404);
      expect(body.type).toBe('/problems/not-found');
    }
  });

  test('pages follow each other, newest first, without gap or repetition', async () => {
    const made: string[] = [];
    for (let index = 0; index < 5; index++) {
      const { body } = await api.post('/api/customers', newcomer({ name: 'Paged 100%' }));
      made.push(body.customer.id);
    }
    const seen: string[] = [];
    let next: string | null = null;
    do {
      const after: string = next ? `&after=${next}` : '';
      const { body } = await api.get(`/api/customers?limit=2&q=${encodeURIComponent('paged 100%')}${after}`);
      seen.push(...body.data.map(({ id }: { id: string }) => id));
      expect(body.has_more).toBe(body.next !== null);
      next = body.next;
    } while (next);
    expect(seen).toEqual(made.toReversed());
  });

  test('a query that makes no sense is refused by name', async () => {
    const { status, body } = await api.get('/api/customers?limit=1000&sort=name');
    expect(status).toBe(422);
    expect(body.errors).toEqual([
      expect.objectContaining({ in: 'query', pointer: '#/limit' }),
      expect.objectContaining({ in: 'query', pointer: '#/sort', detail: 'is not a known field' }),
    ]);
  });
});

describe('inviting', () => {
  test('an invitation is accepted once and activates owner and customer', async () => {
    const { customer, token } = await invited();
    const first = await api.post('/api/invitations/accept', { token }, { key: null });
    expect(first.status).toBe(200);
    expect(first.body.customer).toMatchObject({ id: customer.id, status: 'active' });
    expect(first.body.owner.activated_at).not.toBeNull();

    const second = await api.post('/api/invitations/accept', { token }, { key: null });
    expect(second.status).toBe(409);
    expect(second.body.type).toBe('/problems/invitation-accepted');
  });

  test('a token that is accepted by ten people at once is accepted once', async () => {
    const { token } = await invited();
    const replies = await Promise.all(
      Array.from({ length: 10 }, () => api.post('/api/invitations/accept', { token }, { key: null })),
    );
    expect(replies.map(({ status }) => status).sort()).toEqual([200, ...Array(9).fill(409)]);
  });

  test('sent again, the old token dies, its waiting mail is withdrawn, and the new token works', async () => {
    const { customer, invitation, token } = await invited();
    const again = await api.post(`/api/customers/${customer.id}/invitation`);
    expect(again.status).toBe(201);
    const { body: list } = await api.get(`/api/customers?q=${encodeURIComponent(customer.email)}`);
    expect(list.data[0].invitation).toEqual(again.body.invitation);
    expect(await mailOf(invitation.email_id)).toMatchObject({ status: 'cancelled' });

    const old = await api.post('/api/invitations/accept', { token }, { key: null });
    expect(old.status).toBe(409);
    expect(old.body.type).toBe('/problems/invitation-revoked');
    const mail = await mailOf(again.body.invitation.email_id);
    const fresh = await api.post(
      '/api/invitations/accept',
      { token: tokenIn(mail?.text_body) },
      { key: null },
    );
    expect(fresh.status).toBe(200);

    const late = await api.post(`/api/customers/${customer.id}/invitation`);
    expect(late.body.type).toBe('/problems/invitation-accepted');
  });

  test('an expired invitation says so', async () => {
    const { customer, token } = await invited();
    await api.query(
      `update invitation set expires_at = now() - interval '1 second'
       where owner_id = (select id from owner where customer_id = $1)`,
      [customer.id],
    );
    const { status, body } = await api.post('/api/invitations/accept', { token }, { key: null });
    expect([status, body.type]).toEqual([409, '/problems/invitation-expired']);
  });

  test('a wrong token is not found, is not repeated in the answer, and GET redeems nothing', async () => {
    const token = 'A'.repeat(43);
    const unknown = await api.post('/api/invitations/accept', { token }, { key: null });
    expect(unknown.status).toBe(404);
    const malformed = await api.post('/api/invitations/accept', { token: 'half-a-secret' }, { key: null });
    expect(malformed.status).toBe(422);
    expect(malformed.text).not.toContain('half-a-secret');
    const get = await api.get('/api/invitations/accept', { key: null });
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST']);
  });
});

describe('changing', () => {
  test('names and addresses change, but not to an address that somebody else has', async () => {
    const other = await api.post('/api/customers', newcomer());
    const { body } = await api.post('/api/customers', newcomer());
    const path = `/api/customers/${body.customer.id}`;
    const changed = await api.patch(path, { name: 'Renamed', owner: { email: 'new@example.com' } });
    expect(changed.body).toMatchObject({
      customer: { name: 'Renamed' },
      owner: { email: 'new@example.com' },
    });
    const taken = await api.patch(path, { email: other.body.customer.email });
    expect([taken.status, taken.body.type]).toEqual([409, '/problems/customer-exists']);
  });

  test('deactivating ends the token and withdraws the mail; reactivating lets it be invited again', async () => {
    const { customer, invitation, token } = await invited();
    const path = `/api/customers/${customer.id}`;
    const off = await api.post(`${path}/deactivate`);
    expect(off.body.customer.status).toBe('inactive');
    expect(await mailOf(invitation.email_id)).toMatchObject({ status: 'cancelled' });
    expect((await api.post('/api/invitations/accept', { token }, { key: null })).status).toBe(409);
    expect((await api.post(`${path}/invitation`)).body.type).toBe('/problems/customer-inactive');
    expect((await api.post(`${path}/deactivate`)).status).toBe(200);

    const on = await api.post(`${path}/reactivate`);
    expect(on.body.customer).toMatchObject({ status: 'invited', deactivated_at: null });
    expect((await api.post(`${path}/invitation`)).status).toBe(201);
  });

  test('deleting removes customer, owner and token, withdraws what waits and keeps the list of mail', async () => {
    const { customer, invitation, token } = await invited();
    expect((await api.delete(`/api/customers/${customer.id}`)).status).toBe(204);
    expect((await api.get(`/api/customers/${customer.id}`)).status).toBe(404);
    expect((await api.post('/api/invitations/accept', { token }, { key: null })).status).toBe(404);
    expect((await api.get(`/api/v1/emails/${invitation.email_id}`)).body.status).toBe('cancelled');
  });
});

async function countEverything() {
  const { rows } = await api.query(
    `select (select count(*) from customer) as customers, (select count(*) from owner) as owners,
       (select count(*) from invitation) as invitations, (select count(*) from email) as emails,
       (select count(*) from event) as events`,
  );
  return rows[0];
}
