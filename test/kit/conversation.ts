// The provider's side of one SMTP conversation (RFC 5321, RFC 3207, RFC 4954), with a moment before every reply
// at which the test's script may step in. Written on the bare socket, because a library would not misbehave.
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { SecureContextOptions } from 'node:tls';
import { createDataReader } from './end-of-data.ts';
import type { Envelope, Mode, Moment, Reaction, Script, Stage } from './misbehaviour.ts';
import { createWire, type Wire } from './wire.ts';

/** What the provider advertises after EHLO; a test may change it while the provider runs. */
export type Capabilities = {
  pipelining: boolean;
  /** Bytes; null hides SIZE and lifts the limit. */
  size: number | null;
  eightBitMime: boolean;
  dsn: boolean;
  smtpUtf8: boolean;
  enhancedStatusCodes: boolean;
  /** false plays the middlebox that strips STARTTLS. */
  startTls: boolean;
  /** Mechanisms offered in clear, and once TLS is on. */
  authBeforeTls: readonly string[];
  authAfterTls: readonly string[];
  /** Further lines, word for word. */
  others: readonly string[];
};

/** Who decides about access tokens, and how a refusal looks: Google gives a reason first, Microsoft does not. */
export type BearerJudge = {
  accepts(user: string, token: string): boolean;
  readonly refusal?: 'reason first' | 'at once';
};

type CommandRecord = { readonly line: string; readonly at: number; readonly tls: boolean };

export type ConnectionRecord = {
  readonly id: number;
  readonly mode: Mode;
  /** Milliseconds since 1970, as everywhere in these records. */
  readonly at: number;
  /** Undefined while the connection is open. */
  closedAt: number | undefined;
  tls: { readonly version: string | null; readonly servername: string | undefined } | undefined;
  /** Why the handshake failed: an alert, when the client did not like the certificate. */
  tlsError: string | undefined;
  /** Plain bytes that arrived together with STARTTLS; an attacker's, if there are any (RFC 3207 §4.2). */
  injected: string;
  /** Who signed in. */
  user: string | undefined;
  readonly commands: CommandRecord[];
};

export type AuthAttempt = {
  readonly connection: number;
  readonly at: number;
  readonly mechanism: string;
  readonly user: string;
  readonly password: string;
  readonly tls: boolean;
  readonly accepted: boolean;
};

/** A message for which the provider took responsibility. */
export type ProviderMessage = {
  readonly queueId: string;
  readonly envelope: Envelope;
  /** The bytes as sent, dot-stuffing undone, without the final dot; cut at the provider's `keepBytes`. */
  readonly raw: Buffer;
  /** Of all the bytes. */
  readonly size: number;
  readonly sha256: string;
  /** With its angle brackets, or empty. */
  readonly messageId: string;
  readonly connection: number;
  readonly mode: Mode;
  readonly at: number;
  readonly tls: boolean;
  readonly authUser: string | undefined;
};

/** What a conversation needs to know of its provider, read anew at every step, so that a test may change it. */
export type FailurePlace = {
  readonly name: string;
  readonly users: ReadonlyMap<string, string>;
  readonly bearer: BearerJudge | undefined;
  readonly capabilities: Readonly<Capabilities>;
  readonly requireAuth: boolean;
  readonly keepBytes: number;
  readonly script: Script;
  certificate(): SecureContextOptions;
  nextQueueId(): string;
  onAuth(attempt: AuthAttempt): void;
  onMessage(message: ProviderMessage): void;
};

/** How a step ended: the reply was a yes, a no, or there is nobody left to talk to. */
type Outcome = 'yes' | 'no' | 'over';

export async function converse(socket: Socket, record: ConnectionRecord, here: FailurePlace): Promise<void> {
  const wire = createWire(socket);
  const { mode } = record;
  let envelope: { sender: string; recipients: string[] } | undefined;

  const momentAt = (stage: Stage, more: Partial<Moment> = {}): Moment => ({
    stage,
    connection: record.id,
    mode,
    command: '',
    envelope: envelope ?? { sender: '', recipients: [] },
    bytes: 0,
    ...(record.user === undefined ? {} : { user: record.user }),
    ...more,
  });

  /** Says `usual`, unless the script has something else in mind for this moment. */
  const answer = (
    stage: Stage,
    usual: string,
    more?: Partial<Moment>,
    commit?: () => void,
  ): Promise<Outcome> => {
    const moment = momentAt(stage, more);
    return react(wire, moment, here.script.take(moment), usual, commit);
  };

  /** A moment at which a server usually says nothing. */
  const silence = async (stage: Stage): Promise<Outcome> => {
    const moment = momentAt(stage);
    const reaction = here.script.take(moment);
    if (reaction === undefined) return 'yes';
    const outcome = await react(wire, moment, reaction, '');
    // Whoever speaks plain text where TLS belongs has left the protocol; the client decides when to give up.
    return outcome === 'no' ? stalled(wire) : outcome;
  };

  const secure = async (): Promise<Outcome> => {
    if ((await silence('tls')) === 'over') return 'over';
    try {
      record.injected = wire.pending.toString('latin1');
      const tls = await wire.secureAsServer(here.certificate());
      record.tls = { version: tls.getProtocol(), servername: servernameOf(tls) };
      return 'yes';
    } catch (error) {
      record.tlsError = error instanceof Error ? error.message : String(error);
      wire.destroy();
      return 'over';
    }
  };

  const ehlo = (command: string): Promise<Outcome> => {
    envelope = undefined;
    if (/^helo/i.test(command)) return answer('ehlo', `250 ${here.name}`, { command });
    const lines = [here.name, ...advertised(here.capabilities, mode, record.tls !== undefined)];
    const reply = lines.map((line, i) => `250${i === lines.length - 1 ? ' ' : '-'}${line}`).join('\r\n');
    return answer('ehlo', reply, { command });
  };

  const startTls = async (command: string): Promise<Outcome> => {
    if (record.tls) return say(wire, '503 5.5.1 Error: TLS already active');
    if (!here.capabilities.startTls) return say(wire, '502 5.5.1 Error: command not implemented');
    const outcome = await answer('starttls', '220 2.0.0 Ready to start TLS', { command });
    envelope = undefined;
    return outcome === 'yes' ? secure() : outcome;
  };

  const auth = async (command: string): Promise<Outcome> => {
    const [, mechanism = '', initial] = command.split(/\s+/);
    const offered = record.tls ? here.capabilities.authAfterTls : here.capabilities.authBeforeTls;
    if (!offered.includes(mechanism.toUpperCase())) {
      return record.tls
        ? say(wire, '504 5.5.4 Unrecognized authentication type')
        : say(wire, '530 5.7.0 Must issue a STARTTLS command first');
    }
    if (/^(?:XOAUTH2|OAUTHBEARER)$/i.test(mechanism))
      return bearer(command, mechanism.toUpperCase(), initial);
    const given = await credentials(wire, mechanism.toUpperCase(), initial);
    if (given === undefined) return 'over';
    const right = here.users.get(given.user) === given.password;
    const usual = right
      ? '235 2.7.0 Authentication successful'
      : '535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6';
    const attempt = { connection: record.id, at: Date.now(), mechanism: mechanism.toUpperCase(), ...given };
    const outcome = await answer('auth', usual, { command, user: given.user });
    here.onAuth({ ...attempt, tls: record.tls !== undefined, accepted: outcome === 'yes' });
    if (outcome === 'yes') record.user = given.user;
    return outcome;
  };

  const bearer = async (
    command: string,
    mechanism: string,
    initial: string | undefined,
  ): Promise<Outcome> => {
    if (initial === undefined) wire.write('334 \r\n');
    const response = initial ?? (await wire.readLine());
    if (response === undefined) return 'over';
    const { user, token } = bearerIn(Buffer.from(response, 'base64').toString('utf8'), mechanism);
    const right = here.bearer?.accepts(user, token) === true;
    const isReasoned = here.bearer?.refusal === 'reason first';
    if (!right && isReasoned) {
      const reason = JSON.stringify({ status: '400', schemes: 'Bearer', scope: 'https://mail.google.com/' });
      wire.write(`334 ${Buffer.from(reason).toString('base64')}\r\n`);
      const after = await wire.readLine();
      if (after === undefined) return 'over';
      if (after !== (mechanism === 'XOAUTH2' ? '' : 'AQ=='))
        return say(wire, '501 5.5.2 Cannot decode response');
    }
    const usual = right
      ? '235 2.7.0 Accepted'
      : isReasoned
        ? '535-5.7.8 Username and Password not accepted. For more information, go to\r\n535 5.7.8  https://support.google.com/mail/?p=BadCredentials x - gsmtp'
        : '535 5.7.3 Authentication unsuccessful [HOST.example.com 2026-01-01T00:00:00.000Z 0123456789ABCDEF]';
    const attempt = { connection: record.id, at: Date.now(), mechanism, user, password: token };
    const outcome = await answer('auth', usual, { command, user });
    here.onAuth({ ...attempt, tls: record.tls !== undefined, accepted: outcome === 'yes' });
    if (outcome === 'yes') record.user = user;
    return outcome;
  };

  const mail = async (command: string): Promise<Outcome> => {
    const [, sender, parameters = ''] = /^MAIL FROM:\s*<([^>]*)>(.*)$/i.exec(command) ?? [];
    if (sender === undefined) return say(wire, '501 5.1.7 Bad sender address syntax');
    if (envelope) return say(wire, '503 5.5.1 Error: nested MAIL command');
    const announced = Number(/\bSIZE=(\d+)/i.exec(parameters)?.[1] ?? 0);
    const outcome = await answer('mail', mailReply(announced), {
      command,
      envelope: { sender, recipients: [] },
    });
    if (outcome === 'yes') envelope = { sender, recipients: [] };
    return outcome;
  };

  const mailReply = (announcedBytes: number): string => {
    const { size, startTls: offersTls } = here.capabilities;
    if (here.requireAuth && record.user === undefined) {
      return !record.tls && offersTls
        ? '530 5.7.0 Must issue a STARTTLS command first'
        : '530 5.7.0 Authentication required';
    }
    return size !== null && announcedBytes > size
      ? '552 5.3.4 Message size exceeds fixed limit'
      : '250 2.1.0 Ok';
  };

  const rcpt = async (command: string): Promise<Outcome> => {
    const [, recipient] = /^RCPT TO:\s*<([^>]+)>/i.exec(command) ?? [];
    if (!envelope) return say(wire, '503 5.5.1 Error: need MAIL command');
    if (recipient === undefined) return say(wire, '501 5.1.3 Bad recipient address syntax');
    const outcome = await answer('rcpt', '250 2.1.5 Ok', { command, recipient });
    if (outcome === 'yes') envelope.recipients.push(recipient);
    return outcome;
  };

  const receive = async (command: string): Promise<Outcome> => {
    if (!envelope) return say(wire, '503 5.5.1 Error: need MAIL command');
    const usual = envelope.recipients.length
      ? '354 End data with <CR><LF>.<CR><LF>'
      : '554 5.5.1 Error: no valid recipients';
    const outcome = await answer('data', usual, { command });
    return outcome === 'yes' ? body(envelope) : outcome;
  };

  const body = async (of: Envelope): Promise<Outcome> => {
    const reader = createDataReader();
    const digest = createHash('sha256');
    const kept: Buffer[] = [];
    let bytes = 0;
    let keptBytes = 0;
    let answered = false;
    for (;;) {
      const chunk = await wire.readChunk();
      if (chunk === undefined) return 'over';
      const { content, rest } = reader.read(chunk);
      for (const part of content) {
        digest.update(part);
        bytes += part.length;
        const wanted = part.subarray(0, Math.max(here.keepBytes - keptBytes, 0));
        keptBytes += wanted.length;
        if (wanted.length) kept.push(wanted);
      }
      // A reply in the middle stands for the final one: the rest is read and thrown away.
      const moment = momentAt('body', { bytes });
      const reaction = answered ? undefined : here.script.take(moment);
      if (reaction !== undefined) {
        const outcome = await react(wire, moment, reaction, '');
        if (outcome === 'over') return 'over';
        answered = outcome === 'no';
      }
      if (rest === undefined) continue;

      wire.unread(rest);
      envelope = undefined;
      if (answered) return 'no';
      const queueId = here.nextQueueId();
      const raw = Buffer.concat(kept);
      const commit = () =>
        here.onMessage({
          queueId,
          envelope: { sender: of.sender, recipients: [...of.recipients] },
          raw,
          size: bytes,
          sha256: digest.digest('hex'),
          messageId: messageIdOf(raw),
          connection: record.id,
          mode,
          at: Date.now(),
          tls: record.tls !== undefined,
          authUser: record.user,
        });
      const { size } = here.capabilities;
      const usual =
        size !== null && bytes > size
          ? '552 5.3.4 Error: message file too big'
          : `250 2.0.0 Ok: queued as ${queueId}`;
      return answer('dot', usual, { bytes, envelope: of }, commit);
    }
  };

  const obey = (command: string): Promise<Outcome> => {
    switch (command.split(/[\s:]/, 1)[0]?.toUpperCase()) {
      case 'EHLO':
      case 'HELO':
        return ehlo(command);
      case 'STARTTLS':
        return startTls(command);
      case 'AUTH':
        return auth(command);
      case 'MAIL':
        return mail(command);
      case 'RCPT':
        return rcpt(command);
      case 'DATA':
        return receive(command);
      case 'RSET':
        envelope = undefined;
        return answer('rset', '250 2.0.0 Ok', { command });
      case 'NOOP':
        return answer('noop', '250 2.0.0 Ok', { command });
      case 'QUIT':
        return answer('quit', '221 2.0.0 Bye', { command }).then((outcome) => {
          if (outcome === 'yes') wire.end();
          return outcome === 'yes' ? 'over' : outcome;
        });
      default:
        return say(wire, '502 5.5.2 Error: command not recognized');
    }
  };

  if ((await silence('connect')) === 'over') return;
  if (mode === 'implicit' && (await secure()) === 'over') return;
  let outcome = await answer('greeting', `220 ${here.name} ESMTP ready`);
  while (outcome !== 'over') {
    const command = await wire.readLine();
    if (command === undefined) return;
    record.commands.push({ line: command, at: Date.now(), tls: record.tls !== undefined });
    outcome = await obey(command);
  }
}

/** Carries out a reaction; `commit` takes the message, at the one stage that has one. */
async function react(
  wire: Wire,
  moment: Moment,
  reaction: Reaction | undefined,
  usual: string,
  commit?: () => void,
): Promise<Outcome> {
  const chosen = reaction ?? usual;
  if (typeof chosen === 'string' || chosen instanceof Uint8Array) {
    if (chosen === '') return 'yes';
    if (commit && isYes(chosen)) commit();
    return say(wire, chosen);
  }
  if (typeof chosen === 'function') return react(wire, moment, await chosen(moment), usual, commit);
  switch (chosen.kind) {
    case 'drop':
      wire.destroy();
      return 'over';
    case 'reset':
      wire.reset();
      return 'over';
    case 'stall':
      return stalled(wire);
    case 'partial':
      wire.end(chosen.bytes);
      return 'over';
    case 'delay': {
      await Promise.race([pause(chosen.ms, undefined, { ref: false }), wire.closed]);
      return react(wire, moment, chosen.then, usual, commit);
    }
    case 'accept':
      commit?.();
      return react(wire, moment, chosen.then, usual);
  }
}

async function say(wire: Wire, reply: string | Uint8Array): Promise<Outcome> {
  wire.write(typeof reply === 'string' ? `${reply}\r\n` : reply);
  // RFC 5321 §3.8: with 421 the server announces that it closes the connection.
  if (Buffer.from(reply).toString('latin1', 0, 3) === '421') {
    wire.end();
    return 'over';
  }
  return isYes(reply) ? 'yes' : 'no';
}

async function stalled(wire: Wire): Promise<Outcome> {
  await wire.closed;
  return 'over';
}

const isYes = (reply: string | Uint8Array) => /^[23]\d\d/.test(Buffer.from(reply).toString('latin1', 0, 3));

/** RFC 4616 and the LOGIN of the wild; undefined when the client went away in between. */
async function credentials(
  wire: Wire,
  mechanism: string,
  initial: string | undefined,
): Promise<{ user: string; password: string } | undefined> {
  const ask = async (prompt: string) => {
    wire.write(`334 ${prompt}\r\n`);
    return wire.readLine();
  };
  const decode = (word: string) => Buffer.from(word, 'base64').toString('utf8');
  if (mechanism === 'PLAIN') {
    const response = initial ?? (await ask(''));
    if (response === undefined) return undefined;
    const [, user = '', password = ''] = decode(response).split('\0');
    return { user, password };
  }
  const user = initial ?? (await ask('VXNlcm5hbWU6'));
  const password = user === undefined ? undefined : await ask('UGFzc3dvcmQ6');
  if (user === undefined || password === undefined) return undefined;
  return { user: decode(user), password: decode(password) };
}

/** What a client says of itself: RFC 7628 §3.1, and the words of Google and Microsoft. Empty where it is something else. */
function bearerIn(words: string, mechanism: string): { user: string; token: string } {
  const parts = words.split('\x01');
  const [first = ''] = parts;
  const token = parts.find((part) => part.startsWith('auth=Bearer '))?.slice(12) ?? '';
  const isXoauth2 = mechanism === 'XOAUTH2';
  const isWhole = words.endsWith('\x01\x01') && parts.length === (isXoauth2 ? 4 : 6);
  const name = (isXoauth2 ? /^user=(.*)$/ : /^n,a=([^,]*),$/).exec(first)?.[1];
  if (!isWhole || name === undefined) return { user: '', token: '' };
  return { user: isXoauth2 ? name : name.replaceAll('=2C', ',').replaceAll('=3D', '='), token };
}

function advertised(capabilities: Readonly<Capabilities>, mode: Mode, tls: boolean): string[] {
  const mechanisms = tls ? capabilities.authAfterTls : capabilities.authBeforeTls;
  return [
    ...(capabilities.pipelining ? ['PIPELINING'] : []),
    ...(capabilities.size === null ? [] : [`SIZE ${capabilities.size}`]),
    ...(capabilities.startTls && mode === 'starttls' && !tls ? ['STARTTLS'] : []),
    ...(mechanisms.length ? [`AUTH ${mechanisms.join(' ')}`] : []),
    ...(capabilities.enhancedStatusCodes ? ['ENHANCEDSTATUSCODES'] : []),
    ...(capabilities.eightBitMime ? ['8BITMIME'] : []),
    ...(capabilities.dsn ? ['DSN'] : []),
    ...(capabilities.smtpUtf8 ? ['SMTPUTF8'] : []),
    ...capabilities.others,
  ];
}

function messageIdOf(raw: Buffer): string {
  const headers = raw.toString('latin1').split('\r\n\r\n', 1)[0] ?? '';
  return /^message-id:\s*(<[^>]*>)/im.exec(headers)?.[1] ?? '';
}

/** Node sets it on the server's side, but its types do not know. */
function servernameOf(tls: object): string | undefined {
  const name = 'servername' in tls ? tls.servername : undefined;
  return typeof name === 'string' ? name : undefined;
}
