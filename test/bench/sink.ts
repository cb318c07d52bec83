// A provider that costs as little as it can: takes everything, checks nothing, counts. A process of its own, so that
// it neither slows the bench down nor hides behind it; the same one for everybody who is measured.
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { fileURLToPath } from 'node:url';

export type Sink = AsyncDisposable & {
  readonly port: number;
  readonly pid: number;
  /** Messages taken since it started. */
  readonly taken: number;
};

type Wishes = { readonly certFile?: string; readonly keyFile?: string };

/** @param wishes with a certificate it speaks implicit TLS and offers AUTH */
export async function startCountingSink(wishes: Wishes = {}): Promise<Sink> {
  const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(wishes)]);
  let taken = 0;
  const port = await new Promise<number>((resolve, reject) => {
    child.once('exit', reject);
    child.on('message', (message: { port?: number; taken?: number }) => {
      if (message.port !== undefined) resolve(message.port);
      if (message.taken !== undefined) taken = message.taken;
    });
  });
  const lastResort = () => child.kill();
  process.once('exit', lastResort);
  return {
    port,
    pid: child.pid ?? 0,
    get taken() {
      return taken;
    },
    async [Symbol.asyncDispose]() {
      process.off('exit', lastResort);
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill();
      await gone;
    },
  };
}

/** The environment of a relay whose provider the sink is, in plain and without AUTH. */
export const towards = ({ port }: Sink) => ({
  RELAY_TRUSTED_NETWORKS: '127.0.0.0/8',
  LOG_LEVEL: 'warn',
  SMTP_HOST: '127.0.0.1',
  SMTP_PORT: String(port),
  SMTP_TLS_MODE: 'none',
  SMTP_FAILOVER: 'off',
  SMTP_FROM_EMAIL: 'ann@example.com',
});

const endOfData = Buffer.from('\r\n.\r\n');

function serve({ certFile, keyFile }: Wishes): void {
  let taken = 0;
  const receive = (socket: Socket) => {
    let pending = Buffer.alloc(0);
    let inData = false;
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.write('220 sink ESMTP\r\n');
    socket.on('data', (chunk) => {
      pending = pending.length > 0 ? Buffer.concat([pending, chunk]) : chunk;
      let answers = '';
      for (;;) {
        const end = pending.indexOf(inData ? endOfData : '\r\n');
        if (end < 0) break;
        const command = inData ? '' : pending.toString('latin1', 0, 4).toUpperCase();
        pending = pending.subarray(end + (inData ? 5 : 2));
        if (inData) {
          taken++;
          answers += '250 2.0.0 Ok: queued as SINK\r\n';
          inData = false;
        } else if (command === 'DATA') {
          inData = true;
          answers += '354 go on\r\n';
        } else if (command === 'EHLO') {
          answers += `250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n${certFile ? '250-AUTH PLAIN LOGIN\r\n' : ''}250 ENHANCEDSTATUSCODES\r\n`;
        } else if (command === 'AUTH') answers += '235 2.7.0 in\r\n';
        else answers += command === 'QUIT' ? '221 2.0.0 bye\r\n' : '250 2.0.0 Ok\r\n';
        if (command === 'QUIT') socket.end(answers);
      }
      // Inside a message only its last bytes can matter; the rest is let go.
      if (inData && pending.length > 65_536) pending = pending.subarray(-4);
      if (answers && socket.writable) socket.write(answers);
    });
  };
  const server =
    certFile && keyFile
      ? createTlsServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }, receive)
      : createServer(receive);
  server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
  setInterval(() => process.send?.({ taken }), 20);
  process.once('disconnect', () => process.exit());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) serve(JSON.parse(process.argv[2] ?? '{}') as Wishes);
