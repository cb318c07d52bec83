// The stand-in's SMTP side: nothing without TLS, nothing without AUTH, and everything that is well-formed is taken.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { SMTPServer } from 'smtp-server';
import type { Certificate } from './certificate.ts';
import type { Mailbox } from './mailbox.ts';

export type Submission = AsyncDisposable & { readonly port: number };

/** Listens until disposed. Rejects when the port cannot be had. */
export async function listenSubmission({
  port,
  bind,
  tls,
  certificate,
  account,
  keep,
  tell,
}: {
  port: number;
  bind: string;
  tls: 'implicit' | 'starttls';
  certificate: Certificate;
  account: { user: string; password: string };
  keep: Mailbox['keep'];
  tell: (line: Record<string, unknown>) => void;
}): Promise<Submission> {
  const server = new SMTPServer({
    ...certificate,
    secure: tls === 'implicit',
    name: 'stand-in.postern.example',
    banner: 'Postern stand-in provider',
    size: 26_214_400,
    disableReverseLookup: true,
    hideENHANCEDSTATUSCODES: false,
    // Real providers offer AUTH only inside TLS; offering it earlier would hide a client that forgets STARTTLS.
    allowInsecureAuth: false,
    onAuth({ username, password }, _session, done) {
      if (username === account.user && password === account.password) return done(null, { user: username });
      done(
        smtpError(535, '5.7.8 Authentication failed: this is not the user and password I was started with'),
      );
    },
    onData(stream, session, done) {
      const { mailFrom, rcptTo } = session.envelope;
      const envelope = {
        sender: mailFrom ? mailFrom.address : '',
        recipients: rcptTo.map(({ address }) => address),
        user: String(session.user),
        tls,
      };
      take().then(
        (id) => done(null, `Ok: queued as ${id}`),
        (error: Error) => done(error),
      );
      async function take(): Promise<string> {
        const bytes = await buffer(stream);
        if (stream.sizeExceeded) throw smtpError(552, '5.3.4 Message too big');
        const id = await keep(envelope, bytes);
        tell({ msg: 'Mail received', id, tls, recipients: envelope.recipients });
        return id;
      }
    },
  });
  // A client that goes away in the middle of a conversation is no reason for a provider to end.
  server.on('error', (error) => tell({ level: 'warn', msg: error.message }));

  server.listen(port, bind);
  await once(server.server, 'listening');
  return {
    port: (server.server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

const smtpError = (responseCode: number, message: string) =>
  Object.assign(new Error(message), { responseCode });
