// Killing the api in the middle of work: a client that repeats its requests with their Idempotency-Keys gets every
// customer once and every invitation once, whatever moment the kill met.
import { expect, test } from 'vitest';
import { startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';

const customers = 300;
const clients = 10;

test('SIGKILL at random during creations with idempotency keys loses nothing and doubles nothing', async () => {
  await using stack = await startStack();
  let done = 0;
  let next = 0;
  const client = async () => {
    while (next < customers) {
      const n = next++;
      const asked = { name: `Customer ${n}`, email: `customer${n}@example.com`, sendInvitation: true };
      const headers = { 'idempotency-key': `customer-${n}` };
      // Refused connections, lost answers and "still running" are all the same to a careful client: once more.
      await until(async () => (await stack.api.post('/api/customers', asked, { headers })).status === 201, {
        timeoutMs: 60_000,
        what: `customer ${n}`,
      });
      done++;
    }
  };
  const working = Promise.all(Array.from({ length: clients }, client));
  let kills = 0;
  for (const share of [0.1, 0.25, 0.4, 0.6, 0.8]) {
    await until(() => done >= customers * share, { timeoutMs: 60_000, what: `${share} of the customers` });
    stack.api.process.kill('SIGKILL');
    await stack.api.process.exited;
    await stack.api.start();
    kills++;
  }
  await working;
  expect(kills).toBe(5);

  const { rows } = await stack.database.query(
    `select (select count(*)::int from customer) as customers, (select count(*)::int from owner) as owners,
       (select count(*)::int from invitation) as invitations, (select count(*)::int from email) as emails`,
  );
  expect(rows).toEqual([{ customers, owners: customers, invitations: customers, emails: customers }]);
  await until(() => stack.provider.messages.length >= customers, {
    timeoutMs: 60_000,
    what: 'all invitations',
  });
  const receivers = stack.provider.messages.map(({ envelope }) => envelope.recipients.join());
  expect(new Set(receivers).size).toBe(customers);
  expect(receivers).toHaveLength(customers);
}, 240_000);
