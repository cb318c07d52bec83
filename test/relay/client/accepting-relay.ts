// A relay reduced to its accept: a real SMTP server on a real database that takes each email once, for tests of the
// hand-over itself that want to say what the relay answers, and when.
import { SMTPServer } from 'smtp-server';
import { openDatabase } from '../../../deploy/database.ts';
import { freePort } from '../../kit/ports.ts';

export type AcceptingRelay = AsyncDisposable & {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Everything it answered 250 for, also a second time. */
  readonly taken: {
    readonly id: string;
    readonly queueId: string;
    readonly raw: Buffer;
    readonly at: number;
  }[];
  /** Connections since its first start. */
  connections: number;
  /** Called before each message is accepted; an error thrown here is the answer. */
  before: (id: string) => Promise<void> | void;
  /** Called before RCPT is accepted. */
  onRecipient: (address: string) => void;
  stop(): Promise<void>;
  start(): Promise<void>;
};

export const refusal = (responseCode: number, message: string) =>
  Object.assign(new Error(message), { responseCode });

export async function startAcceptingRelay(
  url: string,
  { size = 1_000_000 }: { size?: number } = {},
): Promise<AcceptingRelay> {
  const database = openDatabase({ url, applicationName: 'accepting-relay' });
  const port = await freePort();
  let server: SMTPServer | undefined;

  const relay: AcceptingRelay = {
    port,
    user: 'postern',
    password: 'correct horse',
    taken: [],
    connections: 0,
    before: () => {},
    onRecipient: () => {},
    async start() {
      server = new SMTPServer({
        authOptional: false,
        allowInsecureAuth: true,
        disabledCommands: ['STARTTLS'],
        disableReverseLookup: true,
        // A restart ends sessions; what is in DATA gets a moment.
        closeTimeout: 100,
        size,
        onConnect(_session, callback) {
          relay.connections++;
          callback();
        },
        onAuth({ username, password }, _session, callback) {
          if (username === relay.user && password === relay.password) callback(null, { user: username });
          else callback(refusal(535, '5.7.8 wrong credentials'));
        },
        onRcptTo({ address }, _session, callback) {
          try {
            relay.onRecipient(address);
            callback();
          } catch (error) {
            callback(error as Error);
          }
        },
        onData(stream, session, callback) {
          const chunks: Buffer[] = [];
          stream.on('data', (chunk) => chunks.push(chunk));
          stream.on('end', async () => {
            try {
              const raw = Buffer.concat(chunks);
              const [, id = '', token = ''] =
                /^X-Postern-Email: (\S+) ([0-9a-f]+)\r\n/.exec(raw.toString('latin1')) ?? [];
              await relay.before(id);
              const queueId = await accept(
                id,
                token,
                session.envelope.rcptTo.map(({ address }) => address),
              );
              relay.taken.push({ id, queueId, raw, at: performance.now() });
              callback(null, `2.0.0 queued as ${queueId}`);
            } catch (error) {
              callback(error as Error);
            }
          });
        },
      });
      server.on('error', () => {});
      await new Promise<void>((resolve) => server?.listen(port, '127.0.0.1', resolve));
    },
    async stop() {
      await new Promise<void>((resolve) => (server ? server.close(resolve) : resolve()));
    },
    async [Symbol.asyncDispose]() {
      await relay.stop();
      await database[Symbol.asyncDispose]();
    },
  };

  const accept = (id: string, token: string, recipients: string[]) =>
    database.transaction(async (tx) => {
      const { rows } = await tx.query<{ status: string; queue_id: string | null; right: boolean }>(
        `select status, queue_id, token = decode($2, 'hex') as right from email where id = $1 for no key update`,
        [id, token],
      );
      const email = rows[0];
      if (!email?.right) throw refusal(550, '5.7.1 wrong token');
      if (email.queue_id) return email.queue_id;
      if (email.status !== 'pending') throw refusal(554, `5.7.1 the email is ${email.status}`);
      const queueId = `Q${id.replaceAll('-', '').slice(-15)}`;
      await tx.query(
        `insert into message (queue_id, email_id, credential, sender, header_from, message_id, size, priority)
         values ($1, $2, 'postern', '', '', '', 1, 0)`,
        [queueId, id],
      );
      await tx.query(
        `insert into recipient (queue_id, ordinal, email_id, address, status, priority, next_attempt_at)
         select $1, o, $2, a, 'queued', 0, now() from unnest($3::text[]) with ordinality as r (a, o)`,
        [queueId, id, recipients],
      );
      await tx.query(
        `update email set queue_id = $2, accepted_at = now(), status = 'queued', reason = null, reason_detail = null,
           next_hand_over_at = null where id = $1`,
        [id, queueId],
      );
      return queueId;
    });

  await relay.start();
  return relay;
}
