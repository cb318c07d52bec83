// Killing the api in the middle of work: a client that repeats its requests with their Idempotency-Keys gets every
// customer once and every invitation once, whatever moment the kill met.
import { expect, test } from 'vitest';
import { startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';

const customers = 1_000;
const clients = 40;
const kills = 5;

test('SIGKILL at random during creations with idempotency keys loses nothing and doubles nothing', async () => {
  // What they would write costs more than what they do.
  const quiet = { LOG_LEVEL: 'warn' };
  await using stack = await startStack({ api: quiet, relay: quiet, worker: quiet });
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
  const moments = Array.from({ length: kills }, () => Math.floor(Math.random() * customers * 0.9)).sort(
    (a, b) => a - b,
  );
  for (const moment of moments) {
    await until(() => done >= moment, { timeoutMs: 60_000, what: `${moment} customers` });
    stack.api.process.kill('SIGKILL');
    await stack.api.process.exited;
    await stack.api.start();
  }
  await working;

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
}, 180_000);
