// What the logs of all processes keep to themselves when nobody asked for more: with every line that debug has to say.
import { expect, test } from 'vitest';
import { startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';

const person = 'jane.roe@private.example.com';

test('neither words nor tokens nor keys nor whole addresses reach a log', async () => {
  const asShipped = { LOG_ADDRESSES: '' };
  await using stack = await startStack({ api: asShipped, relay: asShipped, worker: asShipped });
  const { api, provider } = stack;
  provider.on('rcpt', `550 5.1.1 <${person}>: no such mailbox`, {
    when: ({ recipient }) => recipient === person,
  });
  const key = await api.post('/api/v1/keys', { name: 'Shop', scopes: ['send'] });
  const refused = await api.post(
    '/api/v1/emails',
    {
      to: person,
      subject: 'Confidential-subject',
      text: 'Confidential-text',
      html: '<b>Confidential-html</b>',
    },
    { key: key.body.secret },
  );
  const customer = { name: 'Roe', email: 'owner.roe@private.example.com', sendInvitation: true };
  const invited = await api.post('/api/customers', customer);
  const application = { company: 'Roe', contact_name: 'Confidential-name', email: person };
  await api.post('/api/onboarding/applications', { ...application, message: 'Confidential-message' });
  await api.post('/api/customers', { ...customer, name: 7 });
  await api.post('/api/customers', `{"name":"Confidential-syntax`);
  await api.post('/api/invitations/accept', { token: 'C'.repeat(43) }, { key: null });
  await api.get('/api/customers', { key: 'Confidential-key' });
  await api.delete(`/api/v1/recipients/${person}`);

  const statusOf = async (id: string) => (await api.get(`/api/v1/emails/${id}`)).body.status;
  await until(async () => (await statusOf(refused.body.id)) === 'bounced', { what: 'the refusal' });
  await until(async () => (await statusOf(invited.body.invitation.email_id)) === 'sent', {
    what: 'the mail',
  });
  const mail = await api.get(`/api/v1/emails/${invited.body.invitation.email_id}`);
  const token = /#token=([\w-]{43})/.exec(mail.body.text)?.[1] ?? 'no token';

  await until(() => stack.output.includes('"event":"bounced"'), { what: 'the line about the refusal' });
  expect(stack.output).toContain('<j***@private.example.com>: no such mailbox');
  const secrets = [person, customer.email, token, key.body.secret, api.key, stack.relay.password];
  for (const secret of [...secrets, 'Confidential', 'CCCCCCCC', provider.password]) {
    const lines = stack.output.split('\n').filter((line) => line.includes(secret));
    expect([secret, lines]).toEqual([secret, []]);
  }
});
