// API keys as passwords of submission: whose mail it is, what the key may do, and how it ends; on two relays and two
// apis, which are processes of their own.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Stack, startStack } from '../../kit/stack.ts';
import { connect, type Transcript } from '../../kit/transcript.ts';
import { until } from '../../kit/until.ts';
import { handedOut, messageWith, submitted } from './submitting.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({
    processes: ['relay', 'api'],
    relays: 2,
    apis: 2,
    relay: {
      DELIVERY_MODE: 'allowlist',
      DELIVERY_ALLOWLIST: '*@waits.example',
      SMTP_ALLOWED_SENDERS: '*@example.com,info@example.org',
    },
  });
});
afterAll(() => stack[Symbol.asyncDispose]());

// Sooner than a relay looks by itself: it must have been told.
const toldMs = { timeoutMs: 10_000 };

type Key = { id: string; secret: string };

async function keyWith(more: object = {}): Promise<Key> {
  const { status, body } = await stack.api.post('/api/v1/keys', { name: 'Shop', scopes: ['send'], ...more });
  expect(status, JSON.stringify(body)).toBe(201);
  return body;
}

async function session(relay = stack.relays[0]): Promise<Transcript> {
  const client = await connect(relay?.port ?? 0);
  await client.expect('220 *');
  await client.send('EHLO laptop.example.com').expect('250 *');
  return client;
}

async function logIn({ secret }: Key, relay = stack.relays[0], user = 'anything'): Promise<Transcript> {
  const client = await session(relay);
  await client.authPlain(user, secret).expect('235 2.7.0 *');
  return client;
}

const message = (id: string, more: readonly string[] = []) =>
  messageWith('Thank you.\r\n', [`X-Id: ${id}`, ...more])
    .toString()
    .replace('<1@', `<${id}@`);

test('any name with a send key logs in, and the mail is the key’s', async () => {
  const key = await keyWith({ tags: [{ name: 'app', value: 'shop' }] });
  for (const user of ['postern-user', 'ann@example.com', 'application-2']) {
    await using client = await logIn(key, stack.relays[0], user);
    await client.send('NOOP').expect('250 *');
  }
  await using client = await logIn(key);
  const queueId = await submitted(client, message('named'));
  const { rows } = await stack.database.query(
    `select credential, tags, submitted->>'key' as key from message where queue_id = $1`,
    [queueId],
  );
  expect(rows).toEqual([
    { credential: `key:${key.id}`, tags: [{ name: 'app', value: 'shop' }], key: 'Shop' },
  ]);
  // The same mail again, after the reply was lost, is the same mail.
  expect(await submitted(client, message('named'))).toBe(queueId);
  await until(async () => {
    const { body } = await stack.api.get('/api/v1/keys?limit=100');
    return body.data.find(({ id }: Key) => id === key.id).last_used_at !== null;
  });
});

test('admin and read keys are no passwords, and are told what they are', async () => {
  for (const scopes of [['read'], ['admin'], ['admin', 'send']]) {
    await using client = await session();
    const key = await keyWith({ scopes });
    await client
      .authPlain('shop', key.secret)
      .expect(`535 5.7.8 This API key has the scopes ${scopes.join(', ')};*`);
    await client.send('MAIL FROM:<ann@example.com>').expect('530 *');
  }
});

test('the names of RELAY_USER and RELAY_USERS take their own password only', async () => {
  const key = await keyWith();
  for (const user of [stack.relay.user, stack.relay.application.user]) {
    await using client = await session();
    await client.authPlain(user, key.secret).expect('535 5.7.8 Authentication credentials invalid');
  }
});

test('X-Postern-Email is not for keys', async () => {
  await using client = await logIn(await keyWith());
  const claim = 'X-Postern-Email: 0197e4a6-0000-7000-8000-000000000000 00';
  await (
    await client.submit({
      sender: 'ann@example.com',
      recipients: ['bob@example.net'],
      message: message('claim', [claim]),
    })
  ).expect('550 5.7.1 X-Postern-Email is only for*');
});

test('senders: those of the key within those of the relay, also after a change', async () => {
  const key = await keyWith({ name: 'Narrow', senders: ['info@example.org', 'shop@example.com'] });
  await using client = await logIn(key);
  const refused =
    '*is not allowed here; allowed: info@example.org, shop@example.com (the senders of the key Narrow)';
  await client.send('MAIL FROM:<ann@example.com>').expect(`550 5.7.1 ${refused}`);
  await (
    await client.submit({
      sender: 'shop@example.com',
      recipients: ['bob@example.net'],
      message: message('from'),
    })
  ).expect(`550 5.7.1 Sender <ann@example.com> in From ${refused.slice(1)}`);
  await stack.api.patch(`/api/v1/keys/${key.id}`, { senders: ['*@example.com'] });
  await until(async () => {
    const { text } = await client.send('MAIL FROM:<ann@example.com>').expect('*');
    await client.send('RSET').expect('250 *');
    return text.startsWith('250');
  });
  await submitted(client, message('after'));
  // What the relay allows no more, no key allows.
  await stack.database.query("update api_key set senders = '{ann@example.com,*@example.net}' where id = $1", [
    key.id,
  ]);
  await until(async () => {
    const { text } = await client.send('MAIL FROM:<eve@example.net>').expect('*');
    await client.send('RSET').expect('250 *');
    return text.includes('allowed: ann@example.com (');
  });
});

test('limits: HTTP and SMTP and both relays count together, and what is not taken does not count', async () => {
  await until(
    async () => {
      const { rows } = await stack.database.query<{ left: number }>(
        `select extract(epoch from date_trunc('hour', now()) + interval '1 hour' - now())::float8 as left`,
      );
      return (rows[0]?.left ?? 0) > 30;
    },
    { timeoutMs: 50_000 },
  );
  const key = await keyWith({ per_hour: 5 });
  const mail = { from: 'ann@example.com', to: 'bob@example.net', subject: 'Hello', text: 'Hello' };
  expect((await stack.api.post('/api/v1/emails', mail, { key: key.secret })).status).toBe(202);
  await using one = await logIn(key, stack.relays[0]);
  await using other = await logIn(key, stack.relays[1]);
  const six = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `${name}@example.net`);
  const first = await submitted(one, message('limit-1'), six.slice(0, 2));
  expect(await submitted(one, message('limit-1'), six.slice(0, 2))).toBe(first);
  const send = async (client: Transcript, recipients: string[]) =>
    client.submit({ sender: 'ann@example.com', recipients, message: message('limit-2') });
  const may = 'The key Shop may send to 5 recipients an hour';
  await (await send(other, six)).expect(`550 5.7.1 This mail has 6 recipients; ${may}`);
  await (await send(other, six.slice(0, 3))).expect(`451 4.7.1 ${may}, 3 are used; try again in * s`);
  await submitted(other, message('limit-3'), six.slice(0, 2));
  await (await send(one, six.slice(0, 1))).expect(`451 4.7.1 ${may}, 5 are used; try again in * s`);
  // From then on it is told before it sends the mail, until the relay looks its keys up again.
  await until(async () => {
    const { text } = await one.send('MAIL FROM:<ann@example.com>').expect('*');
    if (text === '451 4.7.1 The key Shop has sent all that it may for now') return true;
    await one.send('RSET').expect('250 *');
    await (await send(one, six.slice(0, 1))).expect(`451 4.7.1 ${may}, 5 are used; try again in * s`);
    return false;
  });
  const refused = await stack.api.post('/api/v1/emails', mail, { key: key.secret });
  expect([refused.status, refused.body.span, refused.body.used]).toEqual([429, 'hour', 5]);
  await stack.api.patch(`/api/v1/keys/${key.id}`, { per_hour: 100 });
  await until(async () => {
    const { text } = await one.send('MAIL FROM:<ann@example.com>').expect('*');
    await one.send('RSET').expect('250 *');
    return text.startsWith('250');
  });
  await submitted(one, message('limit-4'));
});

test('a key with a new secret goes on under the old one, until that is replaced again', async () => {
  const key = await keyWith({ name: 'Rotated' });
  await using client = await logIn(key);
  const rotate = async () => (await stack.api.post(`/api/v1/keys/${key.id}/rotate`)).body;
  const second = await rotate();
  await submitted(client, message('rotated'));
  await using late = await logIn(key, stack.relays[1]);
  await using next = await logIn(second, stack.relays[1]);
  await rotate();
  for (const each of [client, late]) {
    await until(
      async () => (await each.send('NOOP').expect('*')).text.startsWith('421 4.7.13 This secret'),
      toldMs,
    );
  }
  await next.send('NOOP').expect('250 *');
});

test('a key that expires ends its sessions, and no login passes', async () => {
  const key = await keyWith({ expires_at: new Date(Date.now() + 600_000).toISOString() });
  await using client = await logIn(key);
  await submitted(client, message('before'));
  await stack.database.query("update api_key set expires_at = now() + interval '1 second' where id = $1", [
    key.id,
  ]);
  await until(async () => {
    const { text } = await client.send('NOOP').expect('*');
    return text.startsWith('421 4.7.13 This API key has expired');
  });
  await using late = await session();
  await late.authPlain('shop', key.secret).expect('535 5.7.8 This API key has expired');
});

test('what a revoked key submitted and what waits can be cancelled with it', async () => {
  stack.provider.on('rcpt', '450 4.2.1 try later');
  const [key, other] = [await keyWith(), await keyWith()];
  const waiting: string[] = [];
  for (const [n, each] of [key, key, other].entries()) {
    await using client = await logIn(each);
    waiting.push(await submitted(client, message(`waits-${n}`), ['bob@waits.example', 'bob@example.net']));
  }
  const statuses = async () => {
    const { rows } = await stack.database.query<{ status: string }>(
      `select status from recipient where queue_id = any($1) and address like '%waits.example' order by queue_id`,
      [waiting],
    );
    return rows.map(({ status }) => status);
  };
  await until(async () => (await statuses()).every((status) => status === 'deferred'), { timeoutMs: 20_000 });
  const { body } = await stack.api.delete(`/api/v1/keys/${key.id}?cancel_waiting=true`);
  expect(body.waiting_mail).toEqual({ cancelled: 2, more: false });
  expect(await statuses()).toEqual(['cancelled', 'cancelled', 'deferred']);
});

test('a leaked key is stopped in one call: on two apis and two relays the next command is refused', async () => {
  const key = await keyWith({ name: 'Leaked' });
  const clients = await Promise.all(stack.relays.map((relay) => logIn(key, relay)));
  // One of them is in the middle of a message.
  const [busy, idle] = clients as [Transcript, Transcript];
  await using besides = await logIn(key, stack.relays[0]);
  const before = await submitted(idle, message('leaked'));
  await busy.send('MAIL FROM:<ann@example.com>').expect('250 *');
  await busy.send('RCPT TO:<bob@example.net>').expect('250 *');
  await busy.send('DATA').expect('354 *');
  await busy.raw(message('under-way').slice(0, 40));

  expect((await stack.apis[1]?.delete(`/api/v1/keys/${key.id}`))?.status).toBe(200);
  for (const api of stack.apis) {
    expect((await api.get('/api/v1/emails', { key: key.secret })).status).toBe(401);
  }
  for (const relay of stack.relays) {
    await using late = await session(relay);
    await late.authPlain('shop', key.secret).expect('535 5.7.8 This API key was revoked');
  }
  // Whoever keeps a session open hears it with the next command, as soon as their relay has been told.
  for (const client of [idle, besides]) {
    await until(async () => {
      const { text } = await client.send('NOOP').expect('*');
      return text.startsWith('421 4.7.13 This API key was revoked');
    }, toldMs);
  }
  await busy.raw(`${message('under-way').slice(40)}.\r\n`).expect('421 4.7.13 This API key was revoked');
  for (const client of clients) await client[Symbol.asyncDispose]();

  const { rows } = await stack.database.query<{ queue_id: string }>(
    'select queue_id from message where credential = $1',
    [`key:${key.id}`],
  );
  expect(rows).toEqual([{ queue_id: before }]);
  expect(handedOut.test(`queued as ${before}`)).toBe(true);
});
