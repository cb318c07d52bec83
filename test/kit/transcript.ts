// An SMTP client for tests that read like a transcript:
//
//   await using client = await connect(port);
//   await client.expect('220 *');
//   await client.send('EHLO laptop').expect('250 *');
//
// It knows nothing about SMTP's rules, so that a test can break every one of them.
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { createWire } from './wire.ts';

type Reply = {
  readonly code: number;
  /** Without reply code and separator. */
  readonly lines: readonly string[];
  /** All lines as they came, joined by a line feed. */
  readonly text: string;
};

type Answer = {
  /**
   * Reads one whole reply, of however many lines, and fails unless one of its lines matches: `*` stands for
   * anything, and a space after the code also matches the hyphen of a line that has a successor.
   */
  expect(pattern: string): Promise<Reply>;
};

export type Transcript = AsyncDisposable &
  Answer & {
    /** Sends a line; CRLF is added. */
    send(line: string): Answer;
    /** Sends exactly these bytes. */
    raw(bytes: string | Uint8Array): Answer;
    /** Sends these bytes in pieces, each in a packet of its own where the operating system agrees. */
    trickle(bytes: string | Uint8Array, pieceBytes?: number): Promise<Answer>;
    /** STARTTLS and the handshake; fails when either does. */
    /** @param beforeHandshake is waited for between the server's 220 and our first byte of TLS */
    startTls(trust?: Trust, beforeHandshake?: () => Promise<unknown>): Promise<void>;
    authPlain(user: string, password: string): Answer;
    authLogin(user: string, password: string): Promise<Answer>;
    /**
     * MAIL, RCPT, DATA and the message, dot-stuffed; every step but the last must be a yes. `behind` goes out in one
     * write with the final dot.
     */
    submit(mail: {
      sender: string;
      recipients: readonly string[];
      message: string | Uint8Array;
      behind?: string;
    }): Promise<Answer>;
    /** Resolves when the server has closed; fails when it says something instead. */
    expectClosed(): Promise<void>;
    /** Closes our side; `reset` with RST, as a machine does that lost its power. */
    end(): void;
    reset(): void;
    /** Bytes we have written and cannot get rid of, because the server does not read. */
    readonly unsentBytes: number;
    /** Everything said so far, ours after `>`, theirs after `<`. */
    readonly soFar: string;
  };

/** Whom a TLS client believes; without a name the host's own is checked. */
type Trust = { readonly ca?: string; readonly servername?: string };

export type ConnectWishes = {
  readonly host?: string;
  /** The address of ours to come from. */
  readonly localAddress?: string;
  /** Speaks TLS from the first byte. */
  readonly tls?: Trust;
  /** How long to wait for a reply; 10,000 by default. */
  readonly timeoutMs?: number;
};

export async function connect(port: number, wishes: ConnectWishes = {}): Promise<Transcript> {
  const { host = '127.0.0.1', localAddress, timeoutMs = 10_000 } = wishes;
  const socket = connectTcp({ host, port, ...(localAddress && { localAddress }) });
  await once(socket, 'connect');
  const wire = createWire(socket);
  const said: string[] = [];

  const patiently = async <T>(reading: Promise<T>, what: string): Promise<T> => {
    const alarm = new AbortController();
    const late = pause(timeoutMs, undefined, { signal: alarm.signal }).then(() => {
      throw new Error(`waited ${timeoutMs} ms for ${what}; so far:\n${said.join('\n')}`);
    });
    late.catch(() => {});
    try {
      return await Promise.race([reading, late]);
    } finally {
      alarm.abort();
    }
  };

  const readReply = async (): Promise<string[]> => {
    const lines: string[] = [];
    for (;;) {
      const line = await wire.readLine();
      if (line === undefined) return lines;
      said.push(`< ${line}`);
      lines.push(line);
      if (!/^\d{3}-/.test(line)) return lines;
    }
  };

  const expect = async (pattern: string): Promise<Reply> => {
    const raw = await patiently(readReply(), pattern);
    const wanted = matcher(pattern);
    if (!raw.some((line) => wanted.test(line.replace(/^(\d{3})-/, '$1 ')))) {
      const got = raw.length ? raw.join('\n') : 'the connection was closed';
      throw new Error(`expected ${pattern}, got: ${got}\nso far:\n${said.join('\n')}`);
    }
    return {
      code: Number(raw.at(-1)?.slice(0, 3)),
      lines: raw.map((line) => line.slice(4)),
      text: raw.join('\n'),
    };
  };
  const answer: Answer = { expect };

  const raw = (bytes: string | Uint8Array): Answer => {
    said.push(`> ${excerpt(bytes)}`);
    wire.write(bytes);
    return answer;
  };
  const send = (line: string) => raw(`${line}\r\n`);
  const base64 = (words: string) => Buffer.from(words).toString('base64');

  if (wishes.tls) await wire.secureAsClient({ host, ...wishes.tls });

  return {
    expect,
    send,
    raw,
    async trickle(bytes, pieceBytes = 1) {
      said.push(`> ${excerpt(bytes)} (in pieces of ${pieceBytes})`);
      const all = Buffer.from(bytes);
      for (let at = 0; at < all.length; at += pieceBytes) {
        wire.write(all.subarray(at, at + pieceBytes));
        await nextTurn();
      }
      return answer;
    },
    async startTls(trust = {}, beforeHandshake = async () => {}) {
      await send('STARTTLS').expect('220 *');
      await beforeHandshake();
      await wire.secureAsClient({ host, ...trust });
    },
    authPlain: (user, password) => send(`AUTH PLAIN ${base64(`\0${user}\0${password}`)}`),
    async authLogin(user, password) {
      await send('AUTH LOGIN').expect('334 *');
      await send(base64(user)).expect('334 *');
      return send(base64(password));
    },
    async submit({ sender, recipients, message, behind = '' }) {
      await send(`MAIL FROM:<${sender}>`).expect('250 *');
      for (const recipient of recipients) await send(`RCPT TO:<${recipient}>`).expect('250 *');
      await send('DATA').expect('354 *');
      return raw(Buffer.concat([dotStuffed(message), Buffer.from(behind)]));
    },
    async expectClosed() {
      const line = await patiently(wire.readLine(), 'the server to close');
      if (line !== undefined) throw new Error(`expected the server to close, it said: ${line}`);
    },
    end: () => wire.end(),
    reset: () => wire.reset(),
    get unsentBytes() {
      return wire.unsentBytes;
    },
    get soFar() {
      return said.join('\n');
    },
    async [Symbol.asyncDispose]() {
      wire.destroy();
      await wire.closed;
    },
  };
}

/** RFC 5321 §4.5.2, and the final dot. */
function dotStuffed(message: string | Uint8Array): Buffer {
  const text = Buffer.from(message)
    .toString('latin1')
    .replace(/(^|\r\n)\./g, '$1..');
  return Buffer.from(`${text}${text.endsWith('\r\n') ? '' : '\r\n'}.\r\n`, 'latin1');
}

function matcher(pattern: string): RegExp {
  const literal = pattern.split('*').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${literal.join('.*')}$`);
}

function excerpt(bytes: string | Uint8Array): string {
  const text = Buffer.from(bytes).toString('latin1').replace(/\r\n$/, '');
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}… (${text.length} bytes)` : text).slice(
    1,
    -1,
  );
}
