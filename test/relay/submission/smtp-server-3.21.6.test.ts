// relay/submission/smtp-server.ts uses what smtp-server keeps to itself. Whoever updates the library renames this file,
// and reads here what has to be as it was.
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { SMTPServer as Library, type SMTPServerOptions } from 'smtp-server';
import { SMTPConnection } from 'smtp-server/lib/smtp-connection.js';
import { expect, test } from 'vitest';
import manifest from '../../../package.json' with { type: 'json' };
import {
  Connection,
  type ConnectionOptions,
  type ParsedAddress,
  Server,
} from '../../../relay/submission/smtp-server.ts';
import { createAuthority } from '../../kit/certificate.ts';
import { connect, type Transcript } from '../../kit/transcript.ts';
import { until } from '../../kit/until.ts';

/** Makes public what the adapter gives to our connections, and counts what it tells them. */
class Probe extends Connection {
  commands: string[] = [];
  parsed: ParsedAddress[] = [];
  lastCommands = 0;

  state() {
    return {
      inAuth: this.isInAuth,
      inData: this.isInData,
      answering: this.isAnswering,
      inHandshake: this.isInHandshake,
      ending: this.isEnding,
    };
  }
  has(command: string): boolean {
    return !this.isDisabled(command);
  }
  codeFor(code: number, context?: string | false): string {
    return this.enhancedCode(code, context);
  }
  get wire(): Socket | TLSSocket {
    return this.socket;
  }
  protected override onCommand(command: Buffer, callback?: () => void): void {
    this.commands.push(command.toString());
    super.onCommand(command, callback);
  }
  protected override parseAddress(name: string, command: Buffer | string): ParsedAddress {
    const parsed = super.parseAddress(name, command);
    this.parsed.push(parsed);
    return parsed;
  }
  protected override onLastCommand(): void {
    this.lastCommands++;
  }
}

class ProbeServer extends Server {
  probe: Probe | undefined;
  protected override newConnection(socket: Socket | TLSSocket, options: ConnectionOptions): Probe {
    this.probe = new Probe(this, socket, options);
    return this.probe;
  }
}

type Session = AsyncDisposable & {
  readonly client: Transcript;
  readonly probe: Probe;
  readonly server: ProbeServer;
};

async function begin(options: SMTPServerOptions = {}): Promise<Session> {
  const server = new ProbeServer({
    authOptional: true,
    disableReverseLookup: true,
    logger: false,
    ...options,
  });
  const listener = server.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const client = await connect((listener.address() as AddressInfo).port);
  await client.expect('220 *');
  await client.send('EHLO laptop').expect('250 *');
  return {
    client,
    server,
    probe: server.probe as Probe,
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await new Promise<void>((resolve) => server.close(resolve));
    },
  };
}

const atRest = { inAuth: false, inData: false, answering: false, inHandshake: false, ending: false };

test('the version is the one that this file is named after', () => {
  expect(`smtp-server-${manifest.dependencies['smtp-server']}.test.ts`).toBe(
    import.meta.filename.split('/').at(-1),
  );
});

test.each([
  '_onCommand',
  '_parseAddressCommand',
  '_createParser',
  '_isDisabled',
  '_getEnhancedStatusCode',
  'handler_MAIL',
  'handler_RCPT',
])('a connection has the method %s', (name) => {
  expect((SMTPConnection.prototype as unknown as Record<string, unknown>)[name]).toBeTypeOf('function');
});

test.each(['_onError', '_onClientConnect'])('a server has the method %s', (name) => {
  expect((Library.prototype as unknown as Record<string, unknown>)[name]).toBeTypeOf('function');
});

test('a connection keeps its state in the fields that are read', async () => {
  await using session = await begin();
  const fields = session.probe as unknown as Record<string, unknown>;
  expect(fields).toMatchObject({
    _upgrading: false,
    _nextHandler: false,
    _dataStream: false,
    _handlerPending: false,
    _closing: false,
    _closed: false,
  });
  expect(fields._socket).toBe(session.probe.wire);
  expect(session.probe.state()).toEqual(atRest);
});

test('every line but those of a message passes as a command, and AUTH is told from them', async () => {
  await using session = await begin({
    allowInsecureAuth: true,
    onAuth: (_auth, _session, callback) => callback(null, { user: 'app' }),
  });
  const { client, probe } = session;
  await client.send('AUTH PLAIN').expect('334 *');
  expect(probe.state()).toEqual({ ...atRest, inAuth: true });
  await client.send(Buffer.from('\0app\0secret').toString('base64')).expect('235 *');
  expect(probe.state()).toEqual(atRest);
  expect(probe.commands).toHaveLength(3);
});

test('a command is being answered until its callback, and a message is being read until its end', async () => {
  let goOn = () => {};
  await using session = await begin({
    onMailFrom: (_address, _session, callback) => {
      goOn = () => callback();
    },
    onData: (stream, _session, callback) => {
      stream.resume().on('end', () => callback(null, 'done'));
    },
  });
  const { client, probe } = session;
  const reply = client.send('MAIL FROM:<ann@example.com>').expect('250 *');
  await until(() => probe.state().answering);
  goOn();
  await reply;
  await client.send('RCPT TO:<bob@example.net>').expect('250 *');
  expect(probe.state()).toEqual(atRest);
  await client.send('DATA').expect('354 *');
  expect(probe.state()).toMatchObject({ inData: true });
  await client.send('Subject: x\r\n\r\nx\r\n.').expect('250 *');
  expect(probe.state()).toEqual(atRest);
  expect(probe.commands).toHaveLength(4);
});

test('the envelope holds the very objects that parsing gave', async () => {
  await using session = await begin();
  const { client, probe } = session;
  await client.send('MAIL FROM:<ann@example.com>').expect('250 *');
  await client.send('RCPT TO:<bob@example.net>').expect('250 *');
  const { mailFrom, rcptTo } = probe.session.envelope;
  expect(probe.parsed).toHaveLength(2);
  expect(mailFrom).toBe(probe.parsed[0]);
  expect(rcptTo[0]).toBe(probe.parsed[1]);
});

test('what is disabled for the session is disabled, and a code has its enhanced code', async () => {
  await using session = await begin({ disabledCommands: ['STARTTLS'], hideENHANCEDSTATUSCODES: false });
  expect(session.probe.has('STARTTLS')).toBe(false);
  session.probe.session.disabledCommands = ['AUTH'];
  expect(session.probe.has('AUTH')).toBe(false);
  expect(session.probe.has('STARTTLS')).toBe(true);
  expect(session.probe.codeFor(535)).toBe('5.7.8');
  expect(session.probe.codeFor(535, false)).toBe('');
});

test('the handshake of STARTTLS is seen, and the socket is the secured one afterwards', async () => {
  const authority = await createAuthority();
  const { cert, key } = await authority.issue();
  await using session = await begin({ cert, key });
  const { client, probe } = session;
  const before = probe.wire;
  await client.startTls({ ca: authority.cert, servername: 'localhost' }, () =>
    until(() => probe.state().inHandshake, { what: 'the server to wait for the handshake' }),
  );
  await client.send('EHLO laptop').expect('250 *');
  expect(probe.state()).toEqual(atRest);
  expect(probe.wire).not.toBe(before);
});

test('the end of the commands is told once, behind the last one', async () => {
  await using session = await begin();
  const { client, probe } = session;
  probe.wire.allowHalfOpen = true;
  expect(probe.lastCommands).toBe(0);
  await client.send('NOOP').expect('250 *');
  client.end();
  await until(() => probe.lastCommands === 1);
  expect(probe.commands.at(-1)).toBe('NOOP');
  probe.close();
});

test('a connection that is closed is ending', async () => {
  await using session = await begin();
  await session.client.send('QUIT').expect('221 *');
  await until(() => session.probe.state().ending);
});
