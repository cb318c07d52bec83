// Attack: a tenant with one key of the scope `send` wants to see what is of others.
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Api, startApi } from '../api/in-process.ts';
import { until } from '../kit/until.ts';

let api: Api;
let key = '';
// What belongs to others, wherever it can stand.
const secret = 'classified4711';

beforeAll(async () => {
  api = await startApi();
  key = (await api.post('/api/v1/keys', { name: 'tenant', scopes: ['send'] })).body.secret;
});
afterAll(() => api[Symbol.asyncDispose]());

/** What others have, by the path parameter that names it. */
async function makeOthers(): Promise<Record<string, readonly string[]>> {
  const other = await api.post('/api/v1/keys', { name: secret, scopes: ['send'] });
  const later = '2035-03-01T09:00:00Z';
  const mail = { to: `${secret}@example.com`, subject: secret, text: secret, scheduled_datetime: later };
  const sent = await api.post('/api/v1/emails', mail, { key: other.body.secret });
  const form = {
    enabled: true,
    recipients: [`${secret}@example.com`],
    emails: [{ key: secret, subject: secret, text: secret, scheduled_datetime: later }],
  };
  await api.put(`/api/v1/client/${secret}/email-config`, form, { key: other.body.secret });
  const customer = await api.post('/api/customers', {
    name: secret,
    email: `office@${secret}.example`,
    sendInvitation: true,
  });
  const application = await api.post(
    '/api/onboarding/applications',
    { company: secret, contact_name: secret, email: `ann@${secret}.example` },
    { key: null },
  );
  await api.query(`insert into unknown_reply (fingerprint, template, cause) values ('x', '${secret}', 'x')`);
  return {
    id: [
      sent.body.id,
      customer.body.customer.id,
      customer.body.invitation.email_id,
      application.body.id,
      other.body.id,
    ],
    client_id: [secret],
    address: [`${secret}@example.com`],
  };
}

test('no operation that reads tells a send key anything of others, also one that is added later', async () => {
  const others = await makeOthers();
  const reading = api.operations.filter(({ method }) => method === 'get');
  let asked = 0;
  for (const { path, id: name } of reading) {
    const [, parameter] = /\{(\w+)\}/.exec(path) ?? [];
    for (const value of parameter === undefined ? [''] : (others[parameter] ?? [])) {
      const { status, text } = await api.get(path.replace(/\{\w+\}/, value), { key });
      expect
        .soft([name, status >= 500, text.replaceAll(value, '').includes(secret)])
        .toEqual([name, false, false]);
      asked++;
    }
  }
  expect(asked).toBeGreaterThan(20);
});

test('a key whose searches take long waits for itself, and nobody for it', async () => {
  const { body: slow } = await api.post('/api/v1/keys', { name: 'slow', scopes: ['read'] });
  await using hold = await holdTable('customer');
  const searches = Promise.all(
    Array.from({ length: 100 }, () => api.get('/api/customers?q=nothing', { key: slow.secret })),
  );
  await until(hold.isWaitedFor, { what: 'the searches to take long' });
  const mail = { to: 'ann@example.com', subject: 'Hello', text: 'Hello.' };
  expect((await api.post('/api/v1/emails', mail, { key })).status).toBe(202);
  // The same key is heard as well, where the answer does not take long.
  const id = crypto.randomUUID();
  expect((await api.get(`/api/v1/emails/${id}`, { key: slow.secret })).status).toBe(404);
  await hold.release();
  expect(new Set((await searches).map(({ status }) => status))).toEqual(new Set([200]));
});

test('strangers who ask for the status at once share one look', async () => {
  await using hold = await holdTable('heartbeat');
  const asked = Promise.all(
    Array.from({ length: 100 }, () => api.get('/api/v1/email-status', { key: null })),
  );
  await until(hold.isWaitedFor, { what: 'the look to take long' });
  expect((await api.get('/api/v1/keys')).status).toBe(200);
  await hold.release();
  expect(new Set((await asked).map(({ status }) => status))).toEqual(new Set([200]));
});

/** Stands for more rows than a test can make: whoever reads them waits. */
async function holdTable(table: string) {
  const client = new Client({ connectionString: api.databaseUrl });
  await client.connect();
  await client.query(`begin; lock table ${table} in access exclusive mode`);
  let released: Promise<void> | undefined;
  const release = () => {
    released ??= client.query('rollback').then(async () => client.end());
    return released;
  };
  const isWaitedFor = async () => {
    const { rows } = await api.query<{ waiting: number }>(
      `select count(*)::integer as waiting from pg_locks where not granted and relation = $1::regclass
         and database = (select oid from pg_database where datname = current_database())`,
      [table],
    );
    return (rows[0]?.waiting ?? 0) > 0;
  };
  return { isWaitedFor, release, [Symbol.asyncDispose]: release };
}

test.each([
  '/docs/files/../.env',
  '/docs/files/..%2f..%2f.env',
  '/docs/files/deploy/../api/main.ts',
  '/docs/files/deploy%2f..%2fapi%2fmain.ts',
  '/docs/files//etc/passwd',
  '/docs/files/deploy/compose/../../package.json',
  '/docs/..%2fpackage.json',
  '/docs/__proto__',
  '/docs/constructor',
])('%s is nothing', async (path) => {
  expect((await api.get(path, { key: null })).status).toBe(404);
});
