// Another stack on the same network, with the names that everybody gives: Coolify's own database is called postgres on
// the network that all resources can join. Nothing of ours may ever ask it.
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Typed } from '../deploy/coolify/emulate.ts';
import { until } from '../kit/until.ts';
import {
  buildImage,
  buildPreviousRelease,
  composeStack,
  docker,
  image,
  type Release,
  root,
  standInImage,
} from './compose.ts';
import { type CoolifyStack, coolifyStack } from './coolify.ts';
import { expectAllOnce, startLoad } from './load.ts';

const tag = `posterntest-${process.pid}-${randomBytes(3).toString('hex')}`;
const network = `${tag}-shared`;
const quietNetwork = `${tag}-quiet`;
const provider = `${tag}-provider`;
const database = `${tag}-postgres`;
const listener = `${tag}-listener`;

/** Takes any connection on the ports of a relay and an api, and says so. */
const listening = `
  import { createServer } from 'node:net';
  for (const port of [2525, 3000]) {
    createServer((socket) => {
      console.log('connection on ' + port + ' from ' + socket.remoteAddress);
      socket.on('error', () => {}).end('220 not yours\\r\\n');
    }).listen(port);
  }
`;

const typed: Typed = {
  SMTP_HOST: { value: provider },
  SMTP_USER: { value: 'postern@example.com' },
  SMTP_PASSWORD: { value: 'stand-in' },
  SMTP_FROM_EMAIL: { value: 'postern@example.com' },
  SMTP_CA_FILE: { value: '/stand-in/ca.pem' },
};

let previous: Release | undefined;

beforeAll(async () => {
  await buildImage();
  previous = await buildPreviousRelease();
  for (const each of [network, quietNetwork]) await docker('network', 'create', each);
  await docker(
    ...['run', '--detach', '--name', database, '--network', network, '--network-alias', 'postgres'],
    ...['--env', 'POSTGRES_USER=postern', '--env', 'POSTGRES_HOST_AUTH_METHOD=trust', 'postgres:17-trixie'],
  );
  await docker(
    ...['run', '--detach', '--no-healthcheck', '--name', listener, '--network', network],
    ...['relay', 'api', 'worker', 'migrate'].flatMap((alias) => ['--network-alias', alias]),
    ...[image, 'node', '--input-type=module', '-e', listening],
  );
  await docker(
    ...['run', '--detach', '--name', provider, '--network', network, '--user', 'root'],
    ...[
      '--volume',
      `${tag}:/stand-in`,
      standInImage,
      'node',
      'relay/stand-in/main.ts',
      '--directory',
      '/stand-in',
    ],
    ...['--user', 'postern@example.com', '--password', 'stand-in', '--bind', '0.0.0.0', '--name', provider],
    ...['--tls-port', '465', '--starttls-port', '587', '--web-port', '8025'],
  );
  await docker('network', 'connect', quietNetwork, provider);
}, 240_000);

afterAll(async () => {
  for (const each of [database, listener, provider]) await docker('rm', '--force', '--volumes', each);
  await docker('volume', 'rm', '--force', tag);
  for (const each of [network, quietNetwork]) await docker('network', 'rm', each);
}, 120_000);

async function expectNobodyAsked(): Promise<void> {
  const tables = "select count(*) from information_schema.tables where table_schema = 'public'";
  expect(
    await docker('exec', database, 'psql', '--username=postern', '--tuples-only', '--command', tables),
  ).toBe('0');
  expect(await docker('logs', listener)).toBe('');
}

async function sendAndAwait(stack: CoolifyStack, count: number): Promise<void> {
  const ids: string[] = [];
  for (let number = 0; number < count; number++) {
    const { status, body } = await stack.ask('POST', '/api/v1/emails', {
      to: `person-${number}@example.com`,
      subject: `Mail ${number}`,
      text: 'Hello',
    });
    expect(status).toBe(202);
    ids.push(body.id);
  }
  for (const id of ids) await untilSent(stack, id);
}

async function untilSent(stack: CoolifyStack, id: string): Promise<void> {
  await until(async () => (await stack.ask('GET', `/api/v1/emails/${id}`)).body.status === 'sent', {
    what: `${id} to be sent`,
    timeoutMs: 90_000,
  });
}

test('the pasted Coolify file sends mail beside a stack with a postgres, a relay and an api', async () => {
  await using stack = await coolifyStack({
    typed,
    network,
    image,
    mounts: { 'postern-relay': tag },
  });
  await stack.deploy(await readFile(join(root, 'deploy', 'coolify', 'postern.yaml'), 'utf8'));
  await sendAndAwait(stack, 3);
  await expectNobodyAsked();
}, 240_000);

test('the Compose file does too, when it has joined that network under its own names', async () => {
  await using stack = await composeStack();
  await stack.compose('up', '--detach', '--wait');
  const services = ['postern-postgres', 'postern-relay', 'postern-worker', 'postern-api'];
  for (const service of services) {
    const [container = ''] = await stack.containers(service);
    await docker('network', 'connect', '--alias', service, network, container);
  }
  // Names are resolved anew by processes that start anew.
  await stack.compose('restart', '--timeout', '30', 'postern-relay', 'postern-worker', 'postern-api');
  await stack.compose('up', '--detach', '--wait', '--no-recreate');
  const load = startLoad(stack, { mails: 10 });
  await load.finished;
  expect(load.accepted.size).toBe(10);
  await expectAllOnce(stack, load.accepted);
  await expectNobodyAsked();
}, 240_000);

test('a Coolify stack of 0.1.0 is deployed anew with waiting mail, and it leaves', async (context) => {
  if (!previous) return context.skip();
  const mounts = { relay: tag, 'postern-relay': tag };
  await using stack = await coolifyStack({ typed, network: quietNetwork, image, mounts });
  const template = (directory: string) =>
    readFile(join(directory, 'deploy', 'coolify', 'postern.yaml'), 'utf8');
  await stack.deploy(await template(previous.directory), previous.image);
  await docker('pause', provider);
  const waiting = await stack.ask('POST', '/api/v1/emails', {
    to: 'waiting@example.com',
    subject: 'From 0.1.0',
    text: 'Hello',
  });
  expect(waiting.status).toBe(202);
  await until(
    async () => (await stack.ask('GET', `/api/v1/emails/${waiting.body.id}`)).body.status !== 'pending',
    { what: 'the relay of 0.1.0 to have it' },
  );
  await stack.deploy(await template(root));
  await docker('unpause', provider);
  await untilSent(stack, waiting.body.id);
  await sendAndAwait(stack, 1);
}, 300_000);
