// What we change about smtp-server's own conversation: replies carry the enhanced status code we give them, nobody
// waits 100 ms before the greeting, hopeless clients are sent away, and a stop interrupts no message.
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { SMTPServerOptions, SMTPServerSession } from 'smtp-server';
import { HalfCloseConnection } from './half-close.ts';
import type { Refusal } from './refusal.ts';
import { type RefusalReason, type RefusalStage, reasonOf, stageOf } from './refusal-reason.ts';
import { type ConnectionOptions, Server } from './smtp-server.ts';

// A client that is told 5xx this often without one message accepted in between does not listen.
const mostErrors = 30;
// Room for 1,000 recipients and a few resets.
const mostCommands = 5_000;
// Who has just come gets this long to log in, however many others want to.
const graceMs = 5_000;
// Leaves the rest of the process a few seconds of the 25 it has.
const finishMs = 20_000;

export type Refused = {
  readonly client: string;
  /** MAIL FROM, where it had been said. */
  readonly sender: string;
  readonly stage: RefusalStage;
  readonly reason: RefusalReason;
  readonly reply: string;
};

export type SubmissionOptions = SMTPServerOptions & {
  /** A client wanted TLS and cannot have it, or not in this way; `hint` names the variable. */
  readonly onTlsInVain?: (client: string, hint: string) => void;
  /** What EHLO says behind the name of the server (RFC 5321 section 4.1.1.1, ehlo-greet), before TLS. */
  readonly ehloNote?: (client: string) => string | undefined;
  /** Asked before each command: a refusal ends the session. */
  readonly mayGoOn?: (session: SMTPServerSession) => Refusal | undefined;
  /** A reply that says no went out. */
  readonly onRefused?: (session: SMTPServerSession, refused: Refused) => void;
};

export class SubmissionServer extends Server {
  readonly onTlsInVain: NonNullable<SubmissionOptions['onTlsInVain']>;
  readonly ehloNote: NonNullable<SubmissionOptions['ehloNote']>;
  readonly mayGoOn: NonNullable<SubmissionOptions['mayGoOn']>;
  readonly onRefused: NonNullable<SubmissionOptions['onRefused']>;
  #isStopping = false;

  constructor({
    onTlsInVain = () => {},
    ehloNote = () => undefined,
    mayGoOn = () => undefined,
    onRefused = () => {},
    ...options
  }: SubmissionOptions) {
    super({ ...options, closeTimeout: finishMs });
    this.onTlsInVain = onTlsInVain;
    this.ehloNote = ehloNote;
    this.mayGoOn = mayGoOn;
    this.onRefused = onRefused;
  }

  override connect(socket: Socket | TLSSocket, options?: ConnectionOptions): void {
    if (this.connections.size >= (this.options.maxClients ?? Number.POSITIVE_INFINITY))
      this.endIdleStranger();
    super.connect(socket, options);
  }

  protected override newConnection(
    socket: Socket | TLSSocket,
    options: ConnectionOptions,
  ): SubmissionConnection {
    return new SubmissionConnection(this, socket, options);
  }

  /**
   * Ends the oldest session that has neither logged in nor begun a mail, so that who only waits keeps nobody out.
   *
   * @param client only a session of this address
   * @returns whether there was one
   */
  endIdleStranger(client?: string): boolean {
    const oldest = ([...this.connections] as SubmissionConnection[]).find(
      (each) => each.isIdleStranger && (client === undefined || each.remoteAddress === client),
    );
    oldest?.send(421, '4.7.0 Too many sessions, log in first', false);
    return oldest !== undefined;
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** Refuses new sessions, ends idle ones with 421, lets messages in DATA finish; resolves when all are gone. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const closed = new Promise<void>((resolve) => this.close(resolve));
    for (const connection of [...this.connections]) (connection as SubmissionConnection).leaveUnlessInData();
    await closed;
  }
}

class SubmissionConnection extends HalfCloseConnection {
  readonly #server: SubmissionServer;
  #isGreeted = false;
  #isGathering = false;
  #stage: RefusalStage = 'connect';
  #errors = 0;
  readonly #since = performance.now();
  #commands = 0;

  constructor(server: SubmissionServer, socket: Socket | TLSSocket, options: ConnectionOptions) {
    super(server, socket, options);
    this.#server = server;
  }

  override init(): void {
    super.init();
    if (!this.secure) this.socket.once('data', (bytes: Buffer) => this.#endTlsHello(bytes));
    setImmediate(() => this.connectionReady());
  }

  // The library waits 100 ms for clients that talk too soon. That tells spam from mail on the open internet; everybody
  // here has to log in first.
  override connectionReady(next?: () => void): void {
    if (this.#isGreeted) return;
    this.#isGreeted = true;
    super.connectionReady(next);
  }

  protected override onCommand(command: Buffer, callback?: () => void): void {
    this.#stage = this.isInAuth ? 'auth' : stageOf(command.toString('latin1', 0, 20));
    if (++this.#commands > mostCommands) {
      this.send(421, '4.7.0 Too many commands without a message');
      return;
    }
    const refusal = this.#server.mayGoOn(this.session);
    if (refusal) {
      this.send(refusal.code, `${refusal.enhanced} ${refusal.text}`);
      return;
    }
    if (this.#wantsTlsInVain(command)) {
      this.#refuseTls();
      setImmediate(() => callback?.());
      return;
    }
    super.onCommand(command, callback);
  }

  get isIdleStranger(): boolean {
    const { user, envelope } = this.session as Partial<SMTPServerSession>;
    const isBusy = user || envelope?.mailFrom || this.isEnding;
    return !isBusy && performance.now() - this.#since > graceMs;
  }

  /** RFC 8446 section 5.1: a TLS record of a handshake. No SMTP command begins like that. */
  #endTlsHello(bytes: Buffer): void {
    if (bytes[0] !== 0x16 || bytes[1] !== 0x03) return;
    const hasCertificate = !this.isDisabled('STARTTLS');
    const hint = hasCertificate
      ? 'A client used implicit TLS on the STARTTLS port (RELAY_PORT); RELAY_TLS_PORT opens a port for implicit TLS'
      : 'A client used implicit TLS, but no certificate is configured (RELAY_TLS_CERT_FILE, RELAY_TLS_KEY_FILE, RELAY_TLS_PORT)';
    this.#server.onTlsInVain(this.remoteAddress, hint);
    this.#refused({ stage: 'connect', reason: 'tls-in-vain', reply: hint });
    this.socket.destroy();
  }

  #wantsTlsInVain(command: Buffer): boolean {
    return (
      !this.secure &&
      !this.isInAuth &&
      /^STARTTLS\s*$/i.test(command.toString('latin1')) &&
      this.isDisabled('STARTTLS')
    );
  }

  /** RFC 3207 section 4: 454 leaves the mail with the client, which may be told to do without. */
  #refuseTls(): void {
    this.#server.onTlsInVain(
      this.remoteAddress,
      'A client asked for STARTTLS, but no certificate is configured (RELAY_TLS_CERT_FILE, RELAY_TLS_KEY_FILE)',
    );
    this.send(454, '4.7.0 TLS is not available: RELAY_TLS_CERT_FILE and RELAY_TLS_KEY_FILE are not set here');
  }

  // The library derives the enhanced code from the reply code alone; a text that begins with one knows better.
  override send(code: number, text?: string | string[] | null, context?: string | false): void {
    if (code === 250 || code === 354) this.#gather();
    const isOurs = typeof text === 'string' && enhancedCode.test(text) && text[0] === String(code)[0];
    super.send(code, this.#noted(code, text), isOurs ? false : context);
    if (code >= 400 && !this.#server.isStopping) this.#tellRefused(code, String(text ?? ''));

    if (code === 250 && context === 'DATA_OK') {
      this.#errors = 0;
      this.#commands = 0;
    } else if (code >= 500 && ++this.#errors >= mostErrors) {
      super.send(421, '4.7.0 Too many errors', false);
    }
    if (code !== 421 && this.#server.isStopping) this.leaveUnlessInData();
  }

  /** Only EHLO is answered with a list. */
  #noted(code: number, text: string | string[] | null | undefined): typeof text {
    const note =
      code === 250 && Array.isArray(text) && !this.secure && this.#server.ehloNote(this.remoteAddress);
    return note && Array.isArray(text) ? [`${text[0]} ${note}`, ...text.slice(1)] : text;
  }

  #tellRefused(code: number, text: string): void {
    const reason = reasonOf(this.#stage, code, text);
    this.#refused({ stage: this.#stage, reason, reply: `${code} ${text}` });
  }

  #refused(refused: Pick<Refused, 'stage' | 'reason' | 'reply'>): void {
    // Who is refused before the greeting has a session without address and envelope, whatever its type says.
    const { envelope } = this.session as Partial<SMTPServerSession>;
    const mailFrom = envelope?.mailFrom;
    const sender = mailFrom ? mailFrom.address : '';
    this.#server.onRefused(this.session, { ...refused, client: this.remoteAddress, sender });
  }

  /** RFC 2920 section 3.2: the replies to commands that came together go back together, in one write for all of them. */
  #gather(): void {
    const socket = this.socket;
    if (this.#isGathering || !socket) return;
    this.#isGathering = true;
    socket.cork();
    setImmediate(() => {
      this.#isGathering = false;
      socket.uncork();
    });
  }

  leaveUnlessInData(): void {
    if (!this.isInData) super.send(421, '4.3.2 Shutting down, try again', false);
  }
}

const enhancedCode = /^[245]\.\d{1,3}\.\d{1,3} /;
