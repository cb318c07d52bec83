// Clients that end their sending side before they have heard all replies, in clear, behind STARTTLS and on the port
// with TLS from the first byte: every reply that is due is heard, then the connection ends.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAuthority } from '../../kit/certificate.ts';
import { freePort } from '../../kit/ports.ts';
import type { Stack } from '../../kit/stack.ts';
import { runs, seed } from '../../kit/thoroughness.ts';
import { connect, type Transcript } from '../../kit/transcript.ts';
import { until } from '../../kit/until.ts';
import { countRows, handedOut, messageWith, relayedBytes, startRelay, submitted } from './submitting.ts';

let stack: Stack;
let ca: string;
let tlsPort: number;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-half-close-'));
  const authority = await createAuthority();
  const { cert, key } = await authority.issue();
  ca = authority.cert;
  await writeFile(join(folder, 'cert.pem'), cert);
  await writeFile(join(folder, 'key.pem'), key);
  tlsPort = await freePort();
  stack = await startRelay({
    relay: {
      RELAY_TLS_CERT_FILE: join(folder, 'cert.pem'),
      RELAY_TLS_KEY_FILE: join(folder, 'key.pem'),
      RELAY_TLS_PORT: String(tlsPort),
    },
  });
});
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  if (folder) await rm(folder, { recursive: true });
});

const ways = ['clear', 'STARTTLS', 'TLS'] as const;
type Way = (typeof ways)[number];

// Less than the 5 s after which the relay destroys a connection that it has closed.
const soon = { timeoutMs: 4_000 };

/** Behind EHLO. */
async function begin(way: Way): Promise<Transcript> {
  const trust = { ca, servername: 'localhost' };
  const client = await connect(
    way === 'TLS' ? tlsPort : stack.relay.port,
    way === 'TLS' ? { ...soon, tls: trust } : soon,
  );
  await client.expect('220 *');
  await client.send('EHLO laptop.example.com').expect('250 *');
  if (way === 'STARTTLS') {
    await client.startTls(trust);
    await client.send('EHLO laptop.example.com').expect('250 *');
  }
  return client;
}

async function logIn(way: Way): Promise<Transcript> {
  const client = await begin(way);
  const { user, password } = stack.relay.application;
  await client.authPlain(user, password).expect('235 *');
  return client;
}

async function untilData(client: Transcript): Promise<void> {
  await client.send('MAIL FROM:<ann@example.com>').expect('250 *');
  await client.send('RCPT TO:<bob@example.net>').expect('250 *');
  await client.send('DATA').expect('354 *');
}

let messages = 0;
/** Each another one: two of the same would be one mail. */
const nextMessage = (body = 'x\r\n') =>
  `From: ann@example.com\r\nDate: x\r\nMessage-ID: <half-close-${++messages}@example.com>\r\n\r\n${body}`;

async function expectQueued(client: Transcript, message: string): Promise<void> {
  const { text } = await client.expect('250 2.0.0 queued as *');
  expect(await relayedBytes(stack, handedOut.exec(text)?.[1] ?? '')).toBe(message);
}

const idle = () =>
  until(
    async () => {
      const answer = await fetch(`${stack.relay.healthUrl}/readyz?verbose`);
      return ((await answer.json()) as { sessions: number }).sessions === 0;
    },
    { what: 'all sessions to have ended' },
  );

describe.each(ways)('in %s', (way) => {
  test('the final dot and QUIT in one write, then the end: 250, 221, and one mail', async () => {
    await using client = await logIn(way);
    const before = await countRows(stack, 'message');
    await untilData(client);
    const message = nextMessage();
    client.raw(`${message}.\r\nQUIT\r\n`);
    client.end();
    await expectQueued(client, message);
    await client.expect('221 2.0.0 *');
    await client.expectClosed();
    await idle();
    expect(await countRows(stack, 'message')).toBe(before + 1);
  });

  test('the end behind the final dot: 250', async () => {
    await using client = await logIn(way);
    await untilData(client);
    const message = nextMessage();
    client.raw(`${message}.\r\n`);
    client.end();
    await expectQueued(client, message);
    await client.expectClosed();
    await idle();
  });

  test('a large message, then the end: 250 and 221', async () => {
    await using client = await logIn(way);
    await untilData(client);
    const message = nextMessage(`${'x'.repeat(70)}\r\n`.repeat(40_000));
    client.raw(`${message}.\r\nQUIT\r\n`);
    client.end();
    const { text } = await client.expect('250 2.0.0 queued as *');
    await client.expect('221 *');
    await client.expectClosed();
    const stored = await relayedBytes(stack, handedOut.exec(text)?.[1] ?? '');
    // Not toBe: nobody wants to see 3 MB of difference.
    expect(stored === message).toBe(true);
  });

  test('two messages and QUIT in one write, then the end: every reply', async () => {
    await using client = await begin(way);
    const { user, password } = stack.relay.application;
    const login = Buffer.from(`\0${user}\0${password}`).toString('base64');
    const [first, second] = [nextMessage(), nextMessage()];
    const envelope = 'MAIL FROM:<ann@example.com>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n';
    client.raw(`AUTH PLAIN ${login}\r\n${envelope}${first}.\r\n${envelope}${second}.\r\nQUIT\r\n`);
    client.end();
    await client.expect('235 *');
    for (const message of [first, second]) {
      await client.expect('250 2.1.0 *');
      await client.expect('250 2.1.5 *');
      await client.expect('354 *');
      await expectQueued(client, message);
    }
    await client.expect('221 *');
    await client.expectClosed();
    await idle();
  });

  test('a message that is refused, QUIT, then the end: the refusal and 221', async () => {
    await using client = await logIn(way);
    await untilData(client);
    client.raw(`${nextMessage().replace('ann@', 'eve@another.')}.\r\nQUIT\r\n`);
    client.end();
    await client.expect('550 5.7.1 *');
    await client.expect('221 *');
    await client.expectClosed();
    await idle();
  });

  test('a commit that takes its time: the 250 is heard all the same', async () => {
    await using client = await logIn(way);
    await untilData(client);
    const message = nextMessage();
    const keeper = new Client({ connectionString: stack.database.url });
    await keeper.connect();
    try {
      await keeper.query('begin');
      await keeper.query('lock table message in access exclusive mode');
      client.raw(`${message}.\r\nQUIT\r\n`);
      client.end();
      await until(
        async () => {
          const { rows } = await keeper.query(
            `select 1 from pg_locks where not granted and relation = 'message'::regclass
             and database = (select oid from pg_database where datname = current_database())`,
          );
          return rows.length > 0;
        },
        { what: 'the relay to wait for the lock' },
      );
      await keeper.query('commit');
    } finally {
      await keeper.end();
    }
    await expectQueued(client, message);
    await client.expect('221 *');
    await client.expectClosed();
  });

  test('QUIT, then the end: 221', async () => {
    await using client = await logIn(way);
    client.raw('QUIT\r\n');
    client.end();
    await client.expect('221 *');
    await client.expectClosed();
    await idle();
  });

  test('QUIT without its line end, then the end: 221', async () => {
    await using client = await begin(way);
    client.raw('QUIT');
    client.end();
    await client.expect('221 *');
    await client.expectClosed();
    await idle();
  });

  test.each([
    ['nothing', ''],
    ['half a login', 'AUTH LOGIN\r\n'],
  ])('the end behind %s: the connection ends at once', async (_, line) => {
    await using client = await begin(way);
    client.raw(line);
    client.end();
    if (line) await client.expect('334 *');
    await client.expectClosed();
    await idle();
  });

  test('the end in a transaction that has no message yet: its replies, then the end', async () => {
    await using client = await logIn(way);
    client.raw('MAIL FROM:<ann@example.com>\r\nRCPT TO:<bob@example.net>\r\nRCPT TO:<carol@exam');
    client.end();
    await client.expect('250 2.1.0 *');
    await client.expect('250 2.1.5 *');
    await client.expect('501 *');
    await client.expectClosed();
    await idle();
  });

  test.each([
    ['a small message', 'x\r\n'],
    ['a large message', `${'x'.repeat(70)}\r\n`.repeat(10_000)],
    ['a dot without its line end', 'x\r\n.'],
    ['a dot with half its line end', 'x\r\n.\r'],
  ])('the end in the middle of %s: nothing is accepted', async (_, body) => {
    const before = [await countRows(stack, 'message'), await countRows(stack, 'message_part')];
    await using client = await logIn(way);
    await untilData(client);
    client.raw(nextMessage(body));
    client.end();
    await client.expect('421 4.4.2 *');
    await client.expectClosed();
    await idle();
    await until(async () => (await countRows(stack, 'message_part')) === before[1], {
      what: 'the parts of the message to be removed',
    });
    expect(await countRows(stack, 'message')).toBe(before[0]);
  });

  test('DATA, then the end: nothing is accepted', async () => {
    await using client = await logIn(way);
    await client.send('MAIL FROM:<ann@example.com>').expect('250 *');
    await client.send('RCPT TO:<bob@example.net>').expect('250 *');
    client.raw('DATA');
    client.end();
    await client.expect('354 *');
    await client.expect('421 4.4.2 *');
    await client.expectClosed();
    await idle();
  });

  test('a client that vanished behind the dot has submitted its mail, as before', async () => {
    const before = await countRows(stack, 'message');
    await using client = await logIn(way);
    await untilData(client);
    await using other = await begin('clear');
    client.raw(`${nextMessage()}.\r\n`);
    await until(async () => (await countRows(stack, 'message')) === before + 1, { what: 'the mail' });
    client.reset();
    await other.send('QUIT').expect('221 *');
    await idle();
  });

  test('wherever the stream is cut around the dot and QUIT', async () => {
    const tail = 'x\r\n.\r\nQUIT\r\n';
    const oneCut = Array.from({ length: tail.length + 1 }, (_, at) => [at]);
    const severalCuts = fc.sample(
      fc.uniqueArray(fc.nat(tail.length), { minLength: 2, maxLength: tail.length }),
      { numRuns: runs(10), seed: seed() },
    );
    for (const cuts of [...oneCut, ...severalCuts]) {
      const message = nextMessage();
      const octets = `${message}.\r\nQUIT\r\n`;
      const begins = octets.length - tail.length;
      const places = [0, ...cuts.map((at) => at + begins).sort((a, b) => a - b), octets.length];
      await using client = await logIn(way);
      await untilData(client);
      for (const [n, place] of places.slice(1).entries()) {
        client.raw(octets.slice(places[n], place));
        await nextTurn();
      }
      client.end();
      await expectQueued(client, message);
      await client.expect('221 *');
      await client.expectClosed();
    }
    await idle();
  });
});

test('the end behind the greeting, and before and in the middle of the TLS handshake: the connection ends', async () => {
  await using greeted = await connect(stack.relay.port, soon);
  await greeted.expect('220 *');
  greeted.end();
  await greeted.expectClosed();
  await using silent = await connect(tlsPort, soon);
  silent.end();
  await silent.expectClosed();
  await using hello = await connect(tlsPort, soon);
  hello
    .raw(Buffer.from('160301', 'hex'))
    .expect('*')
    .catch(() => {});
  hello.end();
  await using inClear = await begin('clear');
  await inClear.send('STARTTLS').expect('220 *');
  inClear.end();
  await inClear.expectClosed();
  await idle();
});

test('a session that goes on after others have ended half-closed', async () => {
  await using client = await logIn('clear');
  await submitted(client, messageWith('still here\r\n'));
});
