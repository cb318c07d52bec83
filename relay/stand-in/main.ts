// A provider for a machine that has none: takes mail over implicit TLS and STARTTLS with AUTH, as a real one
// does, so that a first try walks the real path. It keeps every mail, shows it on a page, and sends nothing
// anywhere. For one's own machine and for the container suite; never a part of a deployment.
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { openAuthority } from './certificate.ts';
import { openMailbox } from './mailbox.ts';
import { listenWeb } from './page.ts';
import { listenSubmission } from './submission.ts';

const { values: flags } = parseArgs({
  options: {
    directory: { type: 'string' },
    user: { type: 'string' },
    password: { type: 'string' },
    bind: { type: 'string', default: '127.0.0.1' },
    // What the certificate is valid for; a relay checks it as it would check a real provider's.
    name: { type: 'string', multiple: true, default: ['localhost', '127.0.0.1'] },
    // 0 takes any free port; the first line of the output says which.
    'tls-port': { type: 'string', default: '0' },
    'starttls-port': { type: 'string', default: '0' },
    'web-port': { type: 'string', default: '0' },
  },
});
if (!flags.directory || !flags.user || !flags.password) {
  console.error('The stand-in provider needs --directory, --user and --password.');
  process.exit(64);
}

const directory = resolve(flags.directory);
await mkdir(directory, { recursive: true });
const mailbox = await openMailbox(join(directory, 'mail'));
const { caFile, certificate } = await openAuthority(directory, flags.name);

const resources = new AsyncDisposableStack();
const common = {
  bind: flags.bind,
  certificate,
  account: { user: flags.user, password: flags.password },
  keep: mailbox.keep,
  tell,
};
const tls = resources.use(
  await listenSubmission({ ...common, port: Number(flags['tls-port']), tls: 'implicit' }),
);
const startTls = resources.use(
  await listenSubmission({ ...common, port: Number(flags['starttls-port']), tls: 'starttls' }),
);
const web = resources.use(await listenWeb({ bind: flags.bind, port: Number(flags['web-port']), mailbox }));

tell({
  msg: 'Stand-in provider ready',
  tlsPort: tls.port,
  startTlsPort: startTls.port,
  webPort: web.port,
  caFile,
  mailDirectory: mailbox.directory,
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, async () => {
    await resources.disposeAsync();
    process.exit(0);
  });
}

/** One JSON object a line, like the logs of the processes it stands beside. */
function tell(line: Record<string, unknown>): void {
  console.log(
    JSON.stringify({ level: 'info', time: new Date().toISOString(), process: 'stand-in', ...line }),
  );
}
