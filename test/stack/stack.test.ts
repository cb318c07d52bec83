import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../kit/until.ts';
import { type ComposeStack, composeStack, docker, root } from './compose.ts';

let stack: ComposeStack;

beforeAll(async () => {
  stack = await composeStack();
  await stack.compose('up', '--detach', '--wait');
}, 240_000);

afterAll(async () => stack[Symbol.asyncDispose](), 120_000);

const processes = ['postern-api', 'postern-relay', 'postern-worker'] as const;

async function inspect(service: string) {
  const [id = ''] = await stack.containers(service);
  return JSON.parse(await docker('inspect', id))[0];
}

test('everything is healthy and the migration has ended well', async () => {
  for (const service of ['postern-postgres', ...processes]) {
    expect.soft((await inspect(service)).State.Health.Status, service).toBe('healthy');
  }
  expect((await inspect('postern-migrate')).State).toMatchObject({ Status: 'exited', ExitCode: 0 });
});

test('the curl of the README invites a customer, and the provider takes the mail once, over TLS and with AUTH', async () => {
  const readme = await readFile(join(root, 'README.md'), 'utf8');
  const body = JSON.parse(/-d '(\{.*\})'/.exec(readme)?.[1] ?? '');
  const { status, body: created } = await stack.ask('POST', '/api/customers', body);
  expect(status).toBe(201);
  const email = `/api/v1/emails/${created.invitation.email_id}`;
  await until(async () => (await stack.ask('GET', email)).body.status === 'sent', {
    timeoutMs: 15_000,
    what: 'the invitation to be sent',
  });
  const taken = (await stack.mails()).filter(({ recipients }) => recipients.includes(body.owner.email));
  expect(taken).toEqual([expect.objectContaining({ tls: 'implicit', user: 'postern@example.com' })]);
});

test('HTML is kept with LZ4, in a part of its octets', async () => {
  const row = (n: number) =>
    `<tr><td style="padding:8px;color:#1f2937">Position ${n}</td><td>${n * 7}.00 EUR</td></tr>`;
  const html = `<table>${Array.from({ length: 100 }, (_, n) => row(n)).join('')}</table>`;
  const { status, body } = await stack.ask('POST', '/api/v1/emails', {
    to: 'ann@example.net',
    subject: 'Your invoice',
    html,
  });
  expect(status).toBe(202);
  await until(async () => (await stack.ask('GET', `/api/v1/emails/${body.id}`)).body.status === 'sent', {
    timeoutMs: 15_000,
    what: 'the invoice to be sent',
  });
  const kept = await stack.compose(
    ...[
      'exec',
      '-T',
      'postern-postgres',
      'psql',
      '--username=postern',
      '--tuples-only',
      '--no-align',
      '--command',
    ],
    `select pg_column_compression(content), pg_column_size(content) < length(content) / 3
     from message_part join message using (queue_id) where email_id = '${body.id}'`,
  );
  expect(kept.trim()).toBe('lz4|t');
}, 60_000);

test('the provider’s password is in the environment of the relay and nowhere else', async () => {
  const holders: string[] = [];
  for (const service of ['postern-postgres', 'postern-migrate', ...processes]) {
    const { Config } = await inspect(service);
    if (Config.Env.some((line: string) => /^SMTP2?_PASS(WORD)?(_FILE|_BASE64)?=./.test(line)))
      holders.push(service);
  }
  expect(holders).toEqual(['postern-relay']);
});

test('no port but the api’s is published, and that one on this machine only', async () => {
  const published: Record<string, unknown> = {};
  for (const service of ['postern-postgres', 'postern-migrate', ...processes]) {
    for (const [port, bindings] of Object.entries((await inspect(service)).HostConfig.PortBindings ?? {})) {
      published[`${service} ${port}`] = (bindings as { HostIp: string }[]).map(({ HostIp }) => HostIp);
    }
  }
  expect(published).toEqual({ 'postern-api 3000/tcp': ['127.0.0.1'] });
});

test.each([...processes, 'postern-migrate'])(
  '%s is no root, on a root that is read-only, without capabilities',
  async (service) => {
    const { Config, HostConfig } = await inspect(service);
    expect(Config.User).toBe('1000:1000');
    expect(HostConfig).toMatchObject({
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges:true'],
      Privileged: false,
    });
    expect(HostConfig.Memory).toBeGreaterThan(0);
    expect(HostConfig.PidsLimit).toBeGreaterThan(0);
  },
);

test('every process stops by itself, well before it would be killed', async () => {
  await stack.compose('stop');
  for (const service of processes) {
    expect.soft((await inspect(service)).State, service).toMatchObject({ ExitCode: 0, OOMKilled: false });
  }
  await stack.compose('up', '--detach', '--wait');
}, 240_000);
