// Run inside a network namespace by network.ts: the servers there, until standard input ends. Prints one line of JSON:
// the environment for its provider.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { startProvider } from '../../kit/provider.ts';
import { silentServer } from '../../kit/strangers.ts';

type Wishes = {
  readonly places: { readonly provider: string; readonly otherMail: string; readonly web: string };
  readonly password: string;
};

const input = createInterface({ input: process.stdin });
const [line] = (await once(input, 'line')) as [string];
const { places, password } = JSON.parse(line) as Wishes;

await using resources = new AsyncDisposableStack();
const provider = resources.use(
  await startProvider({
    host: places.provider,
    implicitPort: 465,
    starttlsPort: 587,
    users: { 'mailer@mail.test': password },
    certificate: { names: ['mail.test', 'both.test'] },
  }),
);
resources.use(await silentServer({ host: places.otherMail, port: 465 }));
resources.use(await silentServer({ host: places.otherMail, port: 587 }));
resources.use(await silentServer({ host: places.web, port: 443 }));

// A name server that knows no name (RFC 1035 §4.1.1: response, RCODE 3): what exists is in the hosts file.
const names = createSocket('udp4', (question, { port, address }) => {
  const answer = Buffer.from(question);
  answer.writeUInt16BE(0x8183, 2);
  names.send(answer, port, address);
});
names.bind(53, '127.0.0.1');
await once(names, 'listening');
resources.defer(() => void names.close());

const {
  SMTP_HOST: _host,
  SMTP_FAILOVER_PORT: _port,
  SMTP_FAILOVER_TLS_MODE: _mode,
  SMTP_TLS_MODE: _tls,
  ...environment
} = provider.environment();
process.stdout.write(`${JSON.stringify(environment)}\n`);
await once(input, 'close');
