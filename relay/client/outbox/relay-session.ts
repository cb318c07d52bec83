// One SMTP session with the relay, on nodemailer's SMTP client.
import { Readable } from 'node:stream';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import { takeTurn } from '../../../deploy/turn.ts';
import { type Parcel, sizeOf } from './parcel.ts';
import { type HandOverResult, resultOfError, resultOfReply, type SmtpError } from './relay-reply.ts';

export type RelayAddress = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
};

const connectTimeoutMs = 5_000;
const quitTimeoutMs = 1_000;

export class RelaySession {
  readonly #connection: SMTPConnection;
  readonly #relay: RelayAddress;
  readonly #onGone: (session: RelaySession) => void;
  #lose: ((cause: Error) => void) | undefined;
  #isGone = false;
  /** Whether it has handed over before: then the relay may have closed it for being idle. */
  isUsed = false;

  /** @param onGone told once, when the session is lost or dropped */
  constructor(relay: RelayAddress, onGone: (session: RelaySession) => void) {
    this.#relay = relay;
    this.#onGone = onGone;
    this.#connection = new SMTPConnection({
      host: relay.host,
      port: relay.port,
      secure: false,
      // Where the relay has a certificate it offers STARTTLS, and the client takes it: nobody on the way can listen. The
      // certificate is for other applications and need not carry the name we know the relay by, so it proves nothing
      // about who answers. Whoever could answer in the relay's place could do so without a certificate, too.
      tls: { rejectUnauthorized: false, minVersion: 'TLSv1.2' },
      connectionTimeout: connectTimeoutMs,
      greetingTimeout: connectTimeoutMs,
      socketCloseTimeout: 1_000,
    });
    this.#connection.on('error', (error) => this.drop(error));
    this.#connection.on('end', () => this.drop(hangUp()));
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** Connects and logs in. Rejects, and is gone, when either fails. */
  async open(): Promise<void> {
    const { user, password: pass } = this.#relay;
    try {
      await this.#orLost(called((done) => this.#connection.connect(done)));
      await this.#orLost(called((done) => this.#connection.login({ user, pass }, done)));
    } catch (error) {
      this.drop();
      throw error;
    }
  }

  /** Rejects, and is gone, when the relay said nothing about this email. Otherwise it can hand over the next one. */
  async handOver(parcel: Parcel): Promise<HandOverResult> {
    const field = Buffer.from(`X-Postern-Email: ${parcel.id} ${parcel.token.toString('hex')}\r\n`, 'latin1');
    // Of a message in pieces perhaps a little less than it is, which is allowed (RFC 1870 section 6.1).
    const size = field.length + sizeOf(parcel.bytes);
    const message = messageOf(field, parcel.bytes);
    try {
      return resultOfReply(await this.#orLost(this.#send({ ...parcel.envelope, size }, message)));
    } catch (error) {
      const result = resultOfError(error as SmtpError, size);
      if (!result) {
        this.drop();
        throw error;
      }
      // A refused envelope leaves its transaction open on the server.
      await this.#orLost(called((done) => this.#connection.reset(done))).catch(() => this.drop());
      return result;
    } finally {
      // Whatever it reads from is left alone from now on.
      if (!Buffer.isBuffer(message)) message.destroy();
    }
  }

  /** Says goodbye; settles when the relay has answered or is gone. */
  async quit(): Promise<void> {
    this.#connection.quit();
    const timeout = new Promise<void>((resolve) => setTimeout(resolve, quitTimeoutMs).unref());
    await this.#orLost(timeout).catch(() => {});
  }

  drop(cause = new Error('the session is over')): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#onGone(this);
    this.#lose?.(cause);
    this.#connection.close();
  }

  /**
   * The work, or the news that the session was lost or dropped: the client library forgets what was in flight. Not a
   * race with one promise for the whole session, which would remember every email that it ever handed over.
   */
  #orLost<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#isGone) reject(hangUp());
      // Behind the answer, where one came with the loss: a relay says 421 and hangs up.
      this.#lose = (cause) => queueMicrotask(() => reject(cause));
      work.then(resolve, reject);
    });
  }

  #send(
    { from, to, size }: Parcel['envelope'] & { size: number },
    message: Buffer | Readable,
  ): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#connection.send({ from, to: [...to], size }, message, (error, sent) =>
        sent ? resolve(sent.response) : reject(error),
      );
    });
  }
}

const called = (call: (done: (error?: Error | null) => void) => void) =>
  new Promise<void>((resolve, reject) => {
    call((error) => (error ? reject(error) : resolve()));
  });

/** The client looks at every octet: what is longer must not be looked at all at once, least of all in all sessions. */
const stepBytes = 16_384;

function messageOf(field: Buffer, bytes: Parcel['bytes']): Buffer | Readable {
  if (Buffer.isBuffer(bytes) && bytes.length <= stepBytes) return Buffer.concat([field, bytes]);
  return Readable.from(
    (async function* () {
      yield field;
      if (!Buffer.isBuffer(bytes)) return yield* bytes.pieces();
      for (let at = 0; at < bytes.length; at += stepBytes) {
        await takeTurn();
        yield bytes.subarray(at, at + stepBytes);
      }
    })(),
  );
}

const hangUp = () => Object.assign(new Error('the relay closed the session'), { code: 'ECONNECTION' });
