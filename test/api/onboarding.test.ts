import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { uuidv7 } from '../../deploy/database.ts';
import { withinOneMinute } from '../kit/minute.ts';
import { type Api, startApi } from './in-process.ts';

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api[Symbol.asyncDispose]());

const admin = '/api/admin/onboarding/applications';
let counter = 0;
const applicant = (more: { phone?: string; message?: string } = {}) => {
  counter++;
  return {
    company: `Bakery ${counter}`,
    contact_name: 'Ann Example',
    email: `apply${counter}@example.com`,
    ...more,
  };
};

async function submitted(more: { phone?: string } = {}) {
  const asked = applicant(more);
  const id = uuidv7();
  // Straight into the table: the public door lets ten a minute through, which is fewer than these tests need.
  await api.query(
    'insert into application (id, company, contact_name, email, phone) values ($1, $2, $3, $4, $5)',
    [id, asked.company, asked.contact_name, asked.email, asked.phone ?? null],
  );
  return { ...asked, id, path: `${admin}/${id}` };
}

async function count(table: string): Promise<number> {
  const { rows } = await api.query<{ n: number }>(`select count(*) as n from ${table}`);
  return rows[0]?.n ?? -1;
}

describe('applying', () => {
  test('anybody may apply, and learns only that the application was received', async () => {
    const { status, body } = await api.post('/api/onboarding/applications', applicant(), { key: null });
    expect(status).toBe(201);
    expect(Object.keys(body).sort()).toEqual(['id', 'status']);
  });

  test('every field at fault is named with what arrived and what is accepted', async () => {
    const { status, body } = await api.post(
      '/api/onboarding/applications',
      { company: '', email: 'nobody', website: 'javascript:alert(1)', phone: 7, referrer: 'x' },
      { key: null },
    );
    expect(status).toBe(422);
    const byPointer = Object.fromEntries(
      body.errors.map((fault: { pointer: string }) => [fault.pointer, fault]),
    );
    expect(Object.keys(byPointer).sort()).toEqual([
      '#/company',
      '#/contact_name',
      '#/email',
      '#/phone',
      '#/referrer',
      '#/website',
    ]);
    expect(byPointer['#/contact_name']).toMatchObject({ detail: 'is required', accepted: 'string' });
    expect(byPointer['#/email']).toMatchObject({ received: 'nobody' });
  });

  test('the size of an application is limited', async () => {
    const asked = applicant({ message: 'x'.repeat(40_000) });
    const { status } = await api.post('/api/onboarding/applications', asked, { key: null });
    expect(status).toBe(413);
  });

  test('one address cannot flood the door', async () => {
    const replies = await withinOneMinute(api, async () => {
      const answers = [];
      for (let index = 0; index < 15; index++) {
        answers.push(await api.post('/api/onboarding/applications', { company: 'x' }, { key: null }));
      }
      return answers;
    });
    // Ten a minute, of which the tests before may have used some.
    const refused = replies.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThanOrEqual(5);
    expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  test('strangers do not see applications', async () => {
    expect((await api.get(admin, { key: null })).status).toBe(401);
  });
});

describe('deciding', () => {
  test('approving makes customer, owner and invitation, and approving again changes nothing', async () => {
    const { path, company, email } = await submitted();
    const first = await api.post(`${path}/approve`, { sendInvitation: true });
    expect(first.status).toBe(200);
    expect(first.body.application).toMatchObject({ status: 'approved', customer_id: first.body.customer.id });
    expect(first.body.customer).toMatchObject({ name: company, email, status: 'invited' });
    expect(first.body.owner).toMatchObject({ name: 'Ann Example', email });
    const before = [await count('customer'), await count('email')];

    const again = await api.post(`${path}/approve`, { sendInvitation: true });
    expect(again.status).toBe(200);
    expect(again.body.customer.id).toBe(first.body.customer.id);
    expect(again.body.invitation.email_id).toBe(first.body.invitation.email_id);
    expect([await count('customer'), await count('email')]).toEqual(before);
  });

  test('ten administrators who approve at once make one customer', async () => {
    const { path } = await submitted();
    const replies = await Promise.all(
      Array.from({ length: 10 }, () => api.post(`${path}/approve`, { sendInvitation: true })),
    );
    expect(new Set(replies.map(({ status, body }) => `${status} ${body.customer.id}`)).size).toBe(1);
  });

  test('where the address has a customer already, the answer names it, and the way out that it offers works', async () => {
    const { path, email } = await submitted();
    const existing = await api.post('/api/customers', { name: 'Was here first', email });
    const { status, body } = await api.post(`${path}/approve`, {});
    expect(status).toBe(409);
    expect(body).toMatchObject({
      type: '/problems/customer-exists',
      customer_id: existing.body.customer.id,
      customer_email: email,
    });
    expect(body.ways_out[0]).toMatchObject({ method: 'POST', href: `${path}/approve` });
    const linked = await api.post(`${path}/approve`, { use_existing_customer: true });
    expect(linked.status).toBe(200);
    expect(linked.body.application.customer_id).toBe(existing.body.customer.id);
  });

  test('rejecting keeps the reason and mails it when asked to', async () => {
    const { path, email } = await submitted();
    const { body } = await api.post(`${path}/reject`, { reason: 'Too far away <sorry>.', sendMail: true });
    expect(body.application).toMatchObject({ status: 'rejected', reason: 'Too far away <sorry>.' });
    const mail = await api.get(`/api/v1/emails/${body.email.email_id}`);
    expect(mail.body).toMatchObject({ kind: 'rejection', to: [{ address: email }] });
    expect(mail.body.text).toContain('Too far away <sorry>.');
    expect(mail.body.html).toContain('Too far away &lt;sorry&gt;.');
  });

  test('a rejected application may be approved after all, an archived one not', async () => {
    const { path } = await submitted();
    await api.post(`${path}/reject`, {});
    expect((await api.post(`${path}/approve`, {})).status).toBe(200);
    expect((await api.post(`${path}/archive`)).body.status).toBe('archived');
    expect((await api.post(`${path}/archive`)).status).toBe(200);
    for (const verb of ['approve', 'reject']) {
      const { status, body } = await api.post(`${path}/${verb}`, {});
      expect([status, body.type, body.current_status]).toEqual([
        409,
        '/problems/application-state',
        'archived',
      ]);
    }
  });

  test('the database itself lets no application go backwards', async () => {
    const { id, path } = await submitted();
    await api.post(`${path}/archive`);
    await expect(
      api.query(`update application set status = 'submitted', archived_at = null where id = $1`, [id]),
    ).rejects.toMatchObject({ constraint: 'an_application_moves_only_forward' });
  });

  test('facts can be corrected until the decision, the note at any time', async () => {
    const { path } = await submitted({ phone: '123' });
    const corrected = await api.patch(path, { company: 'Corrected', phone: null });
    expect(corrected.body).toMatchObject({ company: 'Corrected', phone: null });
    await api.post(`${path}/approve`, {});
    expect((await api.patch(path, { company: 'Too late' })).status).toBe(409);
    expect((await api.patch(path, { note: 'Still possible' })).body.note).toBe('Still possible');
  });
});

describe('deleting', () => {
  test('an application without an account is deleted', async () => {
    const { path } = await submitted();
    expect((await api.get(path)).body.status).toBe('submitted');
    expect((await api.delete(path)).status).toBe(204);
    expect((await api.get(path)).status).toBe(404);
  });

  test('with an account it is refused, names the account, and every way out works', async () => {
    const ways: [string, number][] = [];
    for (const index of [0, 1]) {
      const { path } = await submitted();
      const { body: approved } = await api.post(`${path}/approve`, { sendInvitation: true });
      const { status, body } = await api.delete(path);
      expect(status).toBe(409);
      expect(body).toMatchObject({
        type: '/problems/customer-account-exists',
        customer_id: approved.customer.id,
        customer_email: approved.customer.email,
      });
      const way = body.ways_out[index];
      const out = await api.ask(way.method, way.href);
      ways.push([way.method, out.status]);
      const customer = await api.get(`/api/customers/${approved.customer.id}`);
      expect(customer.status).toBe(way.method === 'DELETE' ? 404 : 200);
    }
    expect(ways).toEqual([
      ['POST', 200],
      ['DELETE', 204],
    ]);
  });

  test('an account that is in use is not deleted along, and its own way out is named', async () => {
    const { path } = await submitted();
    const { body: approved } = await api.post(`${path}/approve`, { sendInvitation: true });
    const mail = await api.get(`/api/v1/emails/${approved.invitation.email_id}`);
    const token = /#token=([\w-]{43})/.exec(mail.body.text)?.[1];
    await api.post('/api/invitations/accept', { token }, { key: null });

    const { status, body } = await api.delete(`${path}?with_customer=true`);
    expect(status).toBe(409);
    const way = body.ways_out.find(({ method }: { method: string }) => method === 'DELETE');
    expect((await api.ask(way.method, way.href)).status).toBe(204);
    expect((await api.delete(path)).status).toBe(204);
  });
});

describe('templates', () => {
  const words = {
    subject: 'Welcome, {{name}}',
    text: 'Hi {{name}}: {{link}} (until {{expires}})',
    html: '<p>Hi {{name}}: <a href="{{link}}">go</a></p>',
  };

  test('an administrator’s words are used for the next invitation, and ours return when they are deleted', async () => {
    expect((await api.put('/api/v1/templates/invitation', words)).body).toMatchObject({ customised: true });
    const customer = {
      name: 'Template',
      email: 'template1@example.com',
      owner: { name: '<b>$& Ann</b>', email: 'ann@example.com' },
    };
    const { body } = await api.post('/api/customers', { ...customer, sendInvitation: true });
    const mail = (await api.get(`/api/v1/emails/${body.invitation.email_id}`)).body;
    expect(mail.subject).toBe('Welcome, <b>$& Ann</b>');
    expect(mail.html).toContain('<p>Hi &lt;b&gt;$&amp; Ann&lt;/b&gt;:');

    expect((await api.delete('/api/v1/templates/invitation')).status).toBe(204);
    expect((await api.get('/api/v1/templates/invitation')).body.customised).toBe(false);
  });

  test('a preview shows example values and stores nothing', async () => {
    const { body } = await api.post('/api/v1/templates/invitation/preview', words);
    expect(body.subject).toBe('Welcome, Ann Example');
    expect((await api.get('/api/v1/templates/invitation')).body.customised).toBe(false);
  });

  test('a template without its link, or with a placeholder nobody fills, is refused', async () => {
    const { status, body } = await api.put('/api/v1/templates/invitation', {
      subject: 'Hi {{nmae}}',
      text: 'no link',
      html: words.html,
    });
    expect(status).toBe(422);
    expect(body.errors.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual([
      '#/subject',
      '#/text',
    ]);
  });
});
