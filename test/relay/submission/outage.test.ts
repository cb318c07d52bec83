import { describe, expect, test } from 'vitest';
import { uuidv7 } from '../../../deploy/uuid.ts';
import { hashSecret, newSecret } from '../../../relay/client/keys/secret.ts';
import { freshDatabase, ownPostgres } from '../../kit/database.ts';
import type { Stack } from '../../kit/stack.ts';
import { connect } from '../../kit/transcript.ts';
import { until } from '../../kit/until.ts';
import { eventsOf } from '../delivery/way-out.ts';
import { startLossyProxy } from './lossy-proxy.ts';
import { countRows, logIn, messageWith, startRelay, submitted } from './submitting.ts';

const mail = { sender: 'ann@example.com', recipients: ['bob@example.net'] };
const distinct = (body = 'x\r\n') =>
  Buffer.from(
    `From: ann@example.com\r\nDate: x\r\nMessage-ID: <${crypto.randomUUID()}@example.com>\r\n\r\n${body}`,
  );

describe('without PostgreSQL', () => {
  test('clients keep their mail with 451, and the same session goes on when it is back', async () => {
    await using postgres = await ownPostgres();
    await using stack = await startRelay({ database: postgres });
    await using client = await logIn(stack, stack.relay.application, { timeoutMs: 20_000 });
    const message = distinct();
    await submitted(client, message);
    const key = newSecret();
    await postgres.query(
      `insert into api_key (id, name, secret_hash, ending, scopes, per_hour) values ($1, 'Shop', $2, '', '{send}', 9)`,
      [uuidv7(), hashSecret(key)],
    );
    const shop = { user: 'shop', password: key };
    await using limited = await logIn(stack, shop, { timeoutMs: 20_000 });

    await postgres.stop('immediate');
    await (await limited.submit({ ...mail, message: distinct() })).expect('451 4.3.0 *');
    await using late = await connect(stack.relay.port, { timeoutMs: 20_000 });
    await late.expect('220 *');
    await late.send('EHLO laptop.example.com').expect('250 *');
    await late.authPlain(shop.user, shop.password).expect('454 4.3.0 *');
    const large = distinct('0123456789\r\n'.repeat(60_000));
    for (const away of [distinct(), large]) {
      await (await client.submit({ ...mail, message: away })).expect('451 4.3.0 *');
    }
    expect((await fetch(`${stack.relay.healthUrl}/readyz`)).status).toBe(503);
    expect((await fetch(`${stack.relay.healthUrl}/livez`)).status).toBe(200);

    await postgres.start();
    const answer = await until(
      async () => {
        const reply = await (await client.submit({ ...mail, message: large })).expect('*');
        return reply.code === 250 && reply;
      },
      { what: 'the relay to take mail again' },
    );
    expect(answer.text).toMatch(/^250 2\.0\.0 queued as /);
    await late.authPlain(shop.user, shop.password).expect('235 *');
    await submitted(limited, distinct());
  }, 60_000);

  test('nothing that was answered 250 is lost when it is killed under load', async () => {
    await using postgres = await ownPostgres();
    await using stack = await startRelay({ database: postgres });
    const acknowledged: string[] = [];
    let stop = false;
    const senders = Array.from({ length: 8 }, async () => {
      await using client = await logIn(stack, stack.relay.application, { timeoutMs: 30_000 });
      while (!stop) {
        const reply = await (await client.submit({ ...mail, message: distinct() })).expect('*');
        if (reply.code === 250) acknowledged.push(reply.text.slice(-16));
        else expect(reply.text).toMatch(/^45[12] /);
      }
    });
    for (let round = 0; round < 3; round++) {
      const before = acknowledged.length;
      await until(() => acknowledged.length > before + 50, { what: 'mail to flow' });
      await postgres.kill();
      await postgres.start();
    }
    const before = acknowledged.length;
    await until(() => acknowledged.length > before + 50, { what: 'mail to flow again' });
    stop = true;
    await Promise.all(senders);

    const { rows } = await postgres.query<{ n: string }>(
      `select count(*) as n from message m where queue_id = any($1)
       and exists (select from message_part p where p.queue_id = m.queue_id)
       and exists (select from recipient r where r.queue_id = m.queue_id)`,
      [acknowledged],
    );
    expect(new Set(acknowledged).size).toBe(acknowledged.length);
    expect(Number(rows[0]?.n)).toBe(acknowledged.length);
  }, 90_000);
});

describe('a commit whose answer is lost', () => {
  async function withLossyRelay(use: (stack: Stack, loseAnswer: () => void) => Promise<void>): Promise<void> {
    await using database = await freshDatabase();
    await using proxy = await startLossyProxy(database.url);
    await using stack = await startRelay({ database: { url: proxy.url, query: database.query } });
    await use(stack, () => proxy.loseAnswerTo('commit-group'));
    expect(proxy.lost).toBe(1);
  }

  test('is looked up, and the client hears the truth', () =>
    withLossyRelay(async (stack, loseAnswer) => {
      await using client = await logIn(stack);
      // The statement is prepared before, so that the answer that is lost is that of a commit.
      await submitted(client, distinct());
      loseAnswer();
      const queueId = await submitted(client, distinct());
      expect(await countRows(stack, `message where queue_id = '${queueId}'`)).toBe(1);
      expect(await countRows(stack, 'message')).toBe(2);
    }));
});

test('a full disk is answered 452, and the client keeps its mail', async () => {
  await using stack = await startRelay();
  await using client = await logIn(stack);
  await stack.database.query(`
    create function full() returns trigger language plpgsql as
      $$ begin raise exception 'No space left on device' using errcode = 'disk_full'; end $$`);
  await stack.database.query(
    'create trigger full_disk before insert on message_part execute function full()',
  );
  await (await client.submit({ ...mail, message: distinct() })).expect('452 4.3.1 *');
  const large = distinct('0123456789\r\n'.repeat(60_000));
  await (await client.submit({ ...mail, message: large })).expect('452 4.3.1 *');
});

describe('a stop', () => {
  test('lets a message in DATA finish, ends idle sessions, takes no new ones, and is over soon', async () => {
    await using stack = await startRelay();
    await using idle = await logIn(stack);
    await using busy = await logIn(stack);
    await busy.send('MAIL FROM:<ann@example.com>').expect('250 *');
    await busy.send('RCPT TO:<bob@example.net>').expect('250 *');
    await busy.send('DATA').expect('354 *');
    const message = distinct().toString();
    busy.raw(message.slice(0, 30));

    const stopping = stack.relay.process.stop();
    await idle.expect('421 4.3.2 *');
    await idle.expectClosed();
    await until(
      () =>
        connect(stack.relay.port).then(
          () => false,
          () => true,
        ),
      { what: 'the port to be closed' },
    );
    const started = performance.now();
    const reply = await busy.raw(`${message.slice(30)}.\r\n`).expect('250 2.0.0 queued as *');
    await busy.expect('421 4.3.2 *');
    expect(await countRows(stack, `message where queue_id = '${reply.text.slice(-16)}'`)).toBe(1);
    expect(await stopping).toEqual({ code: 0, signal: null });
    expect(performance.now() - started).toBeLessThan(8_000);
  });

  test('of one relay after the other under load fails no submission of a client that tries again', async () => {
    await using stack = await startRelay({ relays: 2 });
    const acknowledged: string[] = [];
    let stop = false;
    const senders = Array.from({ length: 6 }, async (_, n) => {
      for (let turn = n; !stop; turn++) {
        const message = distinct();
        await until(
          async () => {
            const port = stack.relays[turn++ % 2]?.port as number;
            await using client = await logIn(stack, stack.relay.application, { port });
            for (let sent = 0; sent < 5; sent++) {
              const reply = await (await client.submit({ ...mail, message })).expect('*');
              if (reply.code !== 250) return false;
              if (sent === 4) acknowledged.push(reply.text.slice(-16));
            }
            return true;
          },
          { what: 'a submission that succeeds' },
        );
      }
    });
    for (const relay of stack.relays) {
      const before = acknowledged.length;
      await until(() => acknowledged.length > before + 20, { what: 'mail to flow' });
      expect(await relay.process.stop()).toEqual({ code: 0, signal: null });
      await relay.start();
    }
    stop = true;
    await Promise.all(senders);
    expect(await countRows(stack, 'message')).toBe(new Set(acknowledged).size);
  }, 60_000);
});

test('mail without any provider is held with the reason, and the log says what is missing', async () => {
  await using stack = await startRelay({ provider: false, relay: { DELIVERY_MODE: 'deliver' } });
  await using client = await logIn(stack);
  const queueId = await submitted(client, messageWith('x\r\n'));
  const { rows } = await stack.database.query(
    'select status, reason, reason_detail from recipient where queue_id = $1',
    [queueId],
  );
  expect(rows).toEqual([
    {
      status: 'held',
      reason: 'not-configured',
      reason_detail: 'Missing: SMTP_HOST, SMTP_USER, SMTP_PASSWORD, SMTP_FROM_EMAIL',
    },
  ]);
  expect(stack.relay.output).toContain(
    'Email NOT configured. Missing: SMTP_HOST, SMTP_USER, SMTP_PASSWORD, SMTP_FROM_EMAIL',
  );
  const events = await eventsOf(stack.database.query, queueId);
  expect(events.map(({ type }) => type)).toEqual(['queued', 'held']);
});
