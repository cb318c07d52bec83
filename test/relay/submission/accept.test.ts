import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '../../../deploy/database.ts';
import type { EmailDraft } from '../../../relay/client/email/draft.ts';
import { insertEmail } from '../../../relay/client/email/insert.ts';
import { cancelEmail } from '../../../relay/client/outbox/cancel.ts';
import type { Stack } from '../../kit/stack.ts';
import { eventsOf } from '../delivery/way-out.ts';
import {
  countRows,
  handedOut,
  logIn,
  messageWith,
  relayedBytes,
  startRelay,
  storedBytes,
  submitted,
} from './submitting.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startRelay({ relays: 2 });
});
afterAll(() => stack[Symbol.asyncDispose]());

/** The port of one of the two relays. */
const either = (n: number) => ({ port: stack.relays[n % 2]?.port ?? stack.relay.port });
const freshId = () => `Message-ID: <${crypto.randomUUID()}@example.com>`;
const freshMessage = (fields: readonly string[] = []) =>
  Buffer.from(['From: ann@example.com', freshId(), 'Date: x', ...fields, '', 'hello', ''].join('\r\n'));

test('a 250 names the queue id under which message, parts, recipients and timeline are committed', async () => {
  await using client = await logIn(stack);
  const message = messageWith('hello\r\n');
  const queueId = await submitted(client, message, ['bob@example.net', 'eve@example.net']);

  const { rows: messages } = await stack.database.query('select * from message where queue_id = $1', [
    queueId,
  ]);
  expect(messages).toMatchObject([
    {
      credential: 'application',
      sender: 'ann@example.com',
      header_from: 'ann@example.com',
      message_id: '<1@example.com>',
      smtputf8: false,
      eight_bit: false,
      priority: 1,
      size: (await storedBytes(stack, queueId)).length,
    },
  ]);
  const { rows: recipients } = await stack.database.query(
    'select address, status, finished_at is not null as finished from recipient where queue_id = $1 order by ordinal',
    [queueId],
  );
  expect(recipients).toEqual([
    { address: 'bob@example.net', status: 'captured', finished: true },
    { address: 'eve@example.net', status: 'captured', finished: true },
  ]);
  const events = await eventsOf(stack.database.query, queueId);
  expect(events.map(({ type }) => type)).toEqual(['queued', 'captured']);
  expect(events[0]?.detail).toMatchObject({ credential: 'application', client: '127.0.0.1', recipients: 2 });
  expect(await relayedBytes(stack, queueId)).toBe(message.toString('latin1'));
});

test('the Received field in front names the session and the queue id', async () => {
  await using client = await logIn(stack);
  const queueId = await submitted(client, freshMessage());
  const stored = (await storedBytes(stack, queueId)).toString('latin1');
  expect(stored).toMatch(
    /^Received: from laptop\.example\.com \(\[127\.0\.0\.1\]\)\r\n\tby \S+ \(Postern\) with ESMTPA id /,
  );
  expect(stored.split('\r\n')[1]).toContain(` id ${queueId};`);
});

test('messages that arrive together share commits, and every one of them is there', async () => {
  const before = await countRows(stack, 'message');
  const sessions = await Promise.all(Array.from({ length: 20 }, () => logIn(stack)));
  const ids = await Promise.all(
    sessions.map(async (client) => {
      const own: string[] = [];
      for (let n = 0; n < 10; n++) own.push(await submitted(client, freshMessage()));
      return own;
    }),
  );
  expect(new Set(ids.flat()).size).toBe(200);
  expect(await countRows(stack, 'message')).toBe(before + 200);
  const { rows } = await stack.database.query<{ commits: string }>(
    'select count(distinct xmin::text) as commits from message where queue_id = any($1)',
    [ids.flat()],
  );
  expect(Number(rows[0]?.commits)).toBeLessThan(150);
  for (const client of sessions) await client[Symbol.asyncDispose]();
});

describe('the same mail', () => {
  test('submitted twice has one queue id, on whichever relay', async () => {
    await using first = await logIn(stack);
    await using second = await logIn(stack, stack.relay.application, either(1));
    const message = freshMessage();
    const queueId = await submitted(first, message);
    expect(await submitted(first, message)).toBe(queueId);
    expect(await submitted(second, message)).toBe(queueId);
    const { rows } = await stack.database.query(
      'select from message where message_id = (select message_id from message where queue_id = $1)',
      [queueId],
    );
    expect(rows).toHaveLength(1);
  });

  test('submitted at the same moment by many is accepted once', async () => {
    const sessions = await Promise.all(
      Array.from({ length: 10 }, (_, n) => logIn(stack, stack.relay.application, either(n))),
    );
    const message = freshMessage();
    const before = await countRows(stack, 'message');
    const ids = await Promise.all(sessions.map((client) => submitted(client, message)));
    expect(new Set(ids).size).toBe(1);
    expect(await countRows(stack, 'message')).toBe(before + 1);
    for (const client of sessions) await client[Symbol.asyncDispose]();
  });

  test('is another one with other recipients, another sender or another credential', async () => {
    await using client = await logIn(stack);
    await using own = await logIn(stack, stack.relay);
    const message = freshMessage();
    const ids = [
      await submitted(client, message),
      await submitted(client, message, ['eve@example.net']),
      await submitted(client, message, ['bob@example.net'], 'bob@example.com'),
      await submitted(own, message),
    ];
    expect(new Set(ids).size).toBe(4);
  });

  test('is another one after 24 hours, and not before', async () => {
    await using client = await logIn(stack);
    const message = freshMessage();
    const queueId = await submitted(client, message);
    const age = (by: string) =>
      stack.database.query(
        'update message set received_at = received_at - $2::interval where queue_id = $1',
        [queueId, by],
      );
    await age('23 hours 59 minutes');
    expect(await submitted(client, message)).toBe(queueId);
    await age('2 minutes');
    const again = await submitted(client, message);
    expect(again).not.toBe(queueId);
    expect(await submitted(client, message)).toBe(again);
  });

  test('is known for 24 hours too when a process of 0.1.0 accepted it, which keeps its digest elsewhere', async () => {
    await using client = await logIn(stack);
    const message = freshMessage();
    const queueId = await submitted(client, message);
    const digest = createHash('sha256')
      .update('application\nann@example.com\nbob@example.net\n\n')
      .update(message)
      .digest();
    const { rows } = await stack.database.query(
      'with m as (select digest from message where queue_id = $1) update message set digest = null where queue_id = $1 returning (select digest from m)',
      [queueId],
    );
    expect(rows[0]?.digest.replaceAll('-', '')).toBe(digest.toString('hex').slice(0, 32));
    await stack.database.query(
      `insert into submission (credential, key, queue_id, at, lasts)
       values ('application', $2, $1, now() - interval '23 hours 59 minutes', '24 hours')`,
      [queueId, digest],
    );
    expect(await submitted(client, message)).toBe(queueId);
    await stack.database.query(`update submission set at = at - interval '2 minutes' where queue_id = $1`, [
      queueId,
    ]);
    expect(await submitted(client, message)).not.toBe(queueId);
  });

  test('is one mail whatever the order of its recipients', async () => {
    await using client = await logIn(stack);
    const message = freshMessage();
    const queueId = await submitted(client, message, ['bob@example.net', 'eve@example.net']);
    expect(await submitted(client, message, ['eve@example.net', 'bob@example.net'])).toBe(queueId);
  });

  test.each([
    ['no Message-ID', []],
    ['no Message-ID, but Resent-Message-ID', ['Resent-Message-ID: <1@example.com>']],
    ['an empty Message-ID', ['Message-ID:']],
    ['a blank, folded Message-ID', ['Message-ID: \r\n\t ']],
  ])('is two mails where the client brought %s, on one relay or two', async (_, fields) => {
    await using first = await logIn(stack);
    await using second = await logIn(stack, stack.relay.application, either(1));
    const message = Buffer.from(['From: ann@example.com', ...fields, '', 'alert', ''].join('\r\n'));
    const before = await countRows(stack, 'message');
    const ids = [
      await submitted(first, message),
      await submitted(first, message),
      await submitted(second, message),
    ];
    expect(new Set(ids).size).toBe(3);
    expect(await countRows(stack, 'message')).toBe(before + 3);
    for (const id of ids) expect(await relayedBytes(stack, id)).toContain('alert');
  });

  test('in parts, without a Message-ID, is two mails as well', async () => {
    await using client = await logIn(stack);
    const message = Buffer.from(`From: ann@example.com\r\n\r\n${`${'x'.repeat(70)}\r\n`.repeat(6_000)}`);
    const ids = [await submitted(client, message), await submitted(client, message)];
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect((await storedBytes(stack, id)).length).toBeGreaterThan(message.length);
  });

  test('is what carries the same X-Postern-Idempotency-Key, for days, within one credential', async () => {
    await using client = await logIn(stack);
    await using own = await logIn(stack, stack.relay);
    const message = freshMessage([`X-Postern-Idempotency-Key: ${crypto.randomUUID()}`]);
    const queueId = await submitted(client, message);
    await stack.database.query(`update submission set at = at - interval '6 days' where queue_id = $1`, [
      queueId,
    ]);
    expect(await submitted(client, message)).toBe(queueId);
    expect(await submitted(own, message)).not.toBe(queueId);
    expect(await relayedBytes(stack, queueId)).not.toContain('X-Postern');
  });

  test('by its key needs no Message-ID', async () => {
    await using client = await logIn(stack);
    const key = `X-Postern-Idempotency-Key: ${crypto.randomUUID()}`;
    const message = Buffer.from(['From: ann@example.com', key, '', 'alert', ''].join('\r\n'));
    const queueId = await submitted(client, message);
    expect(await submitted(client, message)).toBe(queueId);
  });
});

describe('an X-Postern-Idempotency-Key that was used for another mail', () => {
  const keyed = (key: string, body: string) =>
    Buffer.from(['From: ann@example.com', `X-Postern-Idempotency-Key: ${key}`, '', body, ''].join('\r\n'));
  test.each<[string, string, string[], string]>([
    ['another body', 'another', ['bob@example.net'], 'ann@example.com'],
    ['another recipient', 'hello', ['eve@example.net'], 'ann@example.com'],
    ['one recipient more', 'hello', ['bob@example.net', 'eve@example.net'], 'ann@example.com'],
    ['another sender', 'hello', ['bob@example.net'], 'bob@example.com'],
    ['a body in parts', 'x'.repeat(900).concat('\r\n').repeat(400), ['bob@example.net'], 'ann@example.com'],
  ])('%s is refused for good, and leaves nothing behind', async (_, body, recipients, sender) => {
    await using client = await logIn(stack);
    const key = crypto.randomUUID();
    const queueId = await submitted(client, keyed(key, 'hello'));
    const counts = async () => [
      await countRows(stack, 'message'),
      await countRows(stack, 'message_part'),
      await countRows(stack, 'submission'),
    ];
    const before = await counts();
    const reply = await (await client.submit({ sender, recipients, message: keyed(key, body) })).expect(
      '554 5.6.0 *',
    );
    expect(reply.text).toContain(`was used for another mail (${queueId})`);
    expect(await counts()).toEqual(before);
    expect(await submitted(client, keyed(key, 'hello'))).toBe(queueId);
  });

  test('of a release that kept no digest matches by the key alone', async () => {
    await using client = await logIn(stack);
    const key = crypto.randomUUID();
    const queueId = await submitted(client, keyed(key, 'hello'));
    await stack.database.query('update submission set digest = null where queue_id = $1', [queueId]);
    expect(await submitted(client, keyed(key, 'another'))).toBe(queueId);
  });

  test('whose time is over belongs to the new mail', async () => {
    await using client = await logIn(stack);
    const key = crypto.randomUUID();
    const queueId = await submitted(client, keyed(key, 'hello'));
    await stack.database.query(`update submission set at = at - interval '8 days' where queue_id = $1`, [
      queueId,
    ]);
    const other = await submitted(client, keyed(key, 'another'));
    expect(other).not.toBe(queueId);
    expect(await submitted(client, keyed(key, 'another'))).toBe(other);
  });
});

describe('tags and stream of a mail', () => {
  test('are stored with it, are in its events, and do not leave', async () => {
    const webhook = crypto.randomUUID();
    await stack.database.query('insert into webhook (id, url, tags) values ($1, $2, $3)', [
      webhook,
      'https://shop.example.com/',
      '[{"name":"app","value":"shop"}]',
    ]);
    await using client = await logIn(stack);
    const queueId = await submitted(
      client,
      freshMessage(['X-Postern-Tag: app=shop', 'X-Postern-Stream: news']),
    );
    await submitted(client, freshMessage());
    const { rows } = await stack.database.query(
      'select tags, stream, ignore_suppression from message where queue_id = $1',
      [queueId],
    );
    const tags = [{ name: 'app', value: 'shop' }];
    expect(rows).toEqual([{ tags, stream: 'news', ignore_suppression: false }]);
    const { rows: heard } = await stack.database.query(
      `select queue_id, data -> 'tags' as tags from webhook_delivery where webhook_id = $1`,
      [webhook],
    );
    await stack.database.query('delete from webhook where id = $1', [webhook]);
    expect(heard).toEqual([{ queue_id: queueId, tags }]);
    expect(await relayedBytes(stack, queueId)).not.toContain('X-Postern');
  });
});

describe('an email handed over by our own processes', () => {
  async function withEmail<T>(
    use: (email: { id: string; token: Buffer }) => Promise<T>,
    more: Partial<EmailDraft> = {},
  ): Promise<T> {
    await using database = openDatabase({ url: stack.database.url, applicationName: 'test' });
    const email = await database.transaction((tx) =>
      insertEmail(tx, {
        kind: 'single',
        from: { address: 'ann@example.com' },
        recipients: [{ kind: 'to', address: 'bob@example.net' }],
        subject: 'hello',
        text: 'hello',
        ...more,
      }),
    );
    return await use(email);
  }
  const claim = ({ id, token }: { id: string; token: Buffer }) =>
    `X-Postern-Email: ${id} ${token.toString('hex')}`;
  const attempt = async (fields: readonly string[], credential = stack.relay, wishes = {}) => {
    await using client = await logIn(stack, credential, wishes);
    const reply = await client.submit({
      sender: 'ann@example.com',
      recipients: ['bob@example.net'],
      message: freshMessage(fields),
    });
    return (await reply.expect('*')).text;
  };

  test('becomes a message, once, and the email knows its queue id', async () => {
    await withEmail(async (email) => {
      const reply = await attempt([claim(email)]);
      const queueId = handedOut.exec(reply)?.[1];
      expect(await attempt([claim(email)])).toContain(`250 2.0.0 queued as ${queueId}`);
      const { rows } = await stack.database.query('select * from email where id = $1', [email.id]);
      expect(rows).toMatchObject([{ queue_id: queueId, status: 'captured', next_hand_over_at: null }]);
      const events = await eventsOf(stack.database.query, queueId ?? '');
      expect(events.map(({ type }) => type)).toEqual(['queued', 'captured']);
      expect(await relayedBytes(stack, queueId ?? '')).not.toContain('X-Postern');
    });
  });

  test('gives its stream to the message, where a claim looks, and whether the suppression list counts', async () => {
    const use = async (email: { id: string; token: Buffer }) => {
      const queueId = handedOut.exec(await attempt([claim(email)]))?.[1];
      const { rows } = await stack.database.query(
        'select stream, ignore_suppression from message where queue_id = $1',
        [queueId],
      );
      return rows;
    };
    const stream = 'news';
    expect(await withEmail(use, { stream })).toEqual([{ stream, ignore_suppression: false }]);
    expect(await withEmail(use, { ignoreSuppression: true })).toEqual([
      { stream: null, ignore_suppression: true },
    ]);
  });

  test('is accepted once when several hand it over at the same moment to two relays', async () => {
    await withEmail(async (email) => {
      const replies = await Promise.all(
        Array.from({ length: 8 }, (_, n) => attempt([claim(email)], stack.relay, either(n))),
      );
      expect(new Set(replies).size).toBe(1);
      expect(replies[0]).toMatch(/^250 2\.0\.0 queued as /);
    });
  });

  test('is refused with a wrong token, and the same is said of an email that does not exist', async () => {
    await withEmail(async (email) => {
      const wrong = await attempt([claim({ id: email.id, token: Buffer.from('wrong') })]);
      expect(wrong).toMatch(/^550 5\.7\.1 No email /);
      const id = '019a0000-0000-7000-8000-000000000001';
      expect(await attempt([claim({ id, token: email.token })])).toBe(wrong.replace(email.id, id));
      // Also when it was accepted before.
      expect(await attempt([claim(email)])).toMatch(/^250/);
      expect(await attempt([claim({ id: email.id, token: Buffer.from('wrong') })])).toBe(wrong);
    });
  });

  test('is refused from any other credential, whoever asks', async () => {
    await withEmail(async (email) => {
      expect(await attempt([claim(email)], { ...stack.relay, ...stack.relay.application })).toMatch(
        /^550 5\.7\.1 /,
      );
    });
  });

  test('is refused once it is cancelled', async () => {
    await withEmail(async (email) => {
      await using database = openDatabase({ url: stack.database.url, applicationName: 'test' });
      expect(await cancelEmail(database, email.id, 'test')).toMatchObject({ outcome: 'cancelled' });
      expect(await attempt([claim(email)])).toBe(`554 5.7.1 Email ${email.id} was cancelled`);
      expect(await countRows(stack, `message where email_id = '${email.id}'`)).toBe(0);
    });
  });

  test.each([
    ['expired', `status = 'expired', next_hand_over_at = null, finished_at = now()`, '554 5.7.1 '],
    ['paused', 'paused = true', '450 4.7.1 '],
    ['held', `status = 'held', reason = 'x', next_hand_over_at = null`, '450 4.7.1 '],
  ])('is refused while it is %s', async (_, change, reply) => {
    await withEmail(async (email) => {
      await stack.database.query(`update email set ${change} where id = $1`, [email.id]);
      expect(await attempt([claim(email)])).toContain(reply);
    });
  });

  test('that is refused does not fail its group', async () => {
    await withEmail(async (email) => {
      const wrong = { id: email.id, token: Buffer.from('wrong') };
      const replies = await Promise.all([
        ...Array.from({ length: 5 }, () => attempt([])),
        attempt([claim(wrong)]),
        ...Array.from({ length: 5 }, () => attempt([])),
      ]);
      expect(replies.filter((reply) => reply.startsWith('250'))).toHaveLength(10);
    });
  });
});

test('a message that the database refuses fails alone, with 451, and its neighbours are accepted', async () => {
  await stack.database.query(
    `alter table message add constraint no_poison check (message_id <> '<poison@example.com>')`,
  );
  const sessions = await Promise.all(Array.from({ length: 6 }, () => logIn(stack)));
  const poison = 'From: ann@example.com\r\nMessage-ID: <poison@example.com>\r\n\r\nx\r\n';
  const replies = await Promise.all(
    sessions.map(async (client, n) => {
      const reply = await client.submit({
        sender: 'ann@example.com',
        recipients: ['bob@example.net'],
        message: n === 3 ? poison : freshMessage(),
      });
      return (await reply.expect('*')).text.slice(0, 9);
    }),
  );
  expect(replies).toEqual(['250 2.0.0', '250 2.0.0', '250 2.0.0', '451 4.3.0', '250 2.0.0', '250 2.0.0']);
  for (const client of sessions) await client[Symbol.asyncDispose]();
});
