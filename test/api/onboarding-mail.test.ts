// What onboarding writes to people, as it arrives: through the real relay at a real provider.
import { simpleParser } from 'mailparser';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Stack, startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ processes: ['relay', 'api'] });
});
afterAll(() => stack[Symbol.asyncDispose]());

const admin = '/api/admin/onboarding/applications';

async function applied(email: string): Promise<string> {
  const application = { company: 'Example Bakery', contact_name: 'Ann Example', email };
  const { status, body } = await stack.api.post('/api/onboarding/applications', application, { key: null });
  expect(status).toBe(201);
  return `${admin}/${body.id}`;
}

/** The mails that the provider took for this address, oldest first; waits until there are as many. */
async function mailsTo(address: string, count: number) {
  const messages = await until(
    () => {
      const found = stack.provider.messages.filter(({ envelope }) => envelope.recipients.includes(address));
      return found.length >= count && found;
    },
    { what: `${count} mails to ${address}` },
  );
  expect(messages).toHaveLength(count);
  return Promise.all(messages.map(({ raw }) => simpleParser(raw)));
}

const tokenIn = ({ text }: { text?: string | undefined }) => /#token=([\w-]{43})/.exec(text ?? '')?.[1];

const accept = (token: string | undefined) =>
  stack.api.post('/api/invitations/accept', { token }, { key: null });

test('a rejection reaches the applicant with its reason', async () => {
  const path = await applied('rejected@example.com');
  const { body } = await stack.api.post(`${path}/reject`, {
    reason: 'We only serve Europe <so far>.',
    sendMail: true,
  });
  expect(body).toMatchObject({ application: { status: 'rejected' }, email: { status: 'queued' } });
  const [mail] = await mailsTo('rejected@example.com', 1);
  expect(mail?.text).toContain('We only serve Europe <so far>.');
  expect(mail?.html).toContain('We only serve Europe &lt;so far&gt;.');

  const again = await stack.api.post(`${path}/reject`, { sendMail: true });
  expect(again.body.email).toBeNull();
});

test('the link of the first invitation is dead once another one was sent, and the new one works once', async () => {
  const address = 'invited@example.com';
  const path = await applied(address);
  const { body: approved } = await stack.api.post(`${path}/approve`, { sendInvitation: true });
  await mailsTo(address, 1);
  const again = await stack.api.post(`/api/customers/${approved.customer.id}/invitation`);
  expect(again.status).toBe(201);
  const [first, second] = (await mailsTo(address, 2)).map(tokenIn);
  expect(second).not.toBe(first);

  const answers = [];
  for (const token of [first, second, second]) answers.push(await accept(token));
  expect(answers.map(({ status, body }) => body.type ?? status)).toEqual([
    '/problems/invitation-revoked',
    200,
    '/problems/invitation-accepted',
  ]);
  expect(answers[1]?.body.customer).toMatchObject({ id: approved.customer.id, status: 'active' });
});

test('the way out with the customer deletes both, and the link that arrived before opens nothing', async () => {
  const address = 'unused@example.com';
  const path = await applied(address);
  const { body: approved } = await stack.api.post(`${path}/approve`, { sendInvitation: true });
  const [mail] = await mailsTo(address, 1);
  // The provider has it a moment before the relay has written that down.
  const statusOf = async () =>
    (await stack.api.get(`/api/v1/emails/${approved.invitation.email_id}`)).body.status;
  await until(async () => (await statusOf()) === 'sent', { what: 'the invitation to be sent' });

  const refused = await stack.api.delete(path);
  expect(refused.body.type).toBe('/problems/customer-account-exists');
  const way = refused.body.ways_out.find(({ method }: { method: string }) => method === 'DELETE');
  expect(way.href).toBe(`${path}?with_customer=true`);
  expect((await stack.api.delete(way.href)).status).toBe(204);

  expect((await stack.api.get(path)).status).toBe(404);
  expect((await stack.api.get(`/api/customers/${approved.customer.id}`)).status).toBe(404);
  expect((await accept(tokenIn(mail ?? {}))).body.type).toBe('/problems/not-found');
  expect(await statusOf()).toBe('sent');
  // The address is free: whoever was deleted may apply and be approved again.
  const anew = await stack.api.post(`${await applied(address)}/approve`, { sendInvitation: true });
  expect(anew.status).toBe(200);
  await mailsTo(address, 2);
});
