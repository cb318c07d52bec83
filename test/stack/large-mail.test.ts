// Large mail in numbers, and bodies that cost as much as they can, against the memory limits of docker-compose.yml: the
// kernel kills a process that takes more than its container has. It proves that relay, api and worker stay below 384 MB
// at every moment, that no session of PostgreSQL is killed either, and that nothing is lost.
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { costlyBodies } from '../kit/costly.ts';
import { runs } from '../kit/thoroughness.ts';
import { until } from '../kit/until.ts';
import { type ComposeStack, composeStack, docker, image } from './compose.ts';

const limitMb = 384;
const processes = ['postern-api', 'postern-relay', 'postern-worker'] as const;
// What was accepted, by recipient: each of them must arrive once.
const accepted: string[] = [];

let stack: ComposeStack;

beforeAll(async () => {
  stack = await composeStack();
  await stack.compose('up', '--detach', '--wait');
}, 240_000);

afterAll(async () => stack[Symbol.asyncDispose](), 120_000);

/** Nobody was killed by the kernel, and nobody has needed a second life. */
async function expectAlive(): Promise<void> {
  for (const service of processes) {
    const [id = ''] = await stack.containers(service);
    const { State, RestartCount, HostConfig } = JSON.parse(await docker('inspect', id))[0];
    expect.soft({ service, State, RestartCount }).toMatchObject({
      State: { Running: true, OOMKilled: false },
      RestartCount: 0,
    });
    expect.soft(HostConfig.Memory, service).toBe(limitMb * 1024 * 1024);
  }
  // PostgreSQL goes on in the same container when one of its sessions was killed, and says so.
  expect
    .soft(await stack.compose('logs', '--no-color', 'postern-postgres'))
    .not.toContain('terminated by signal');
}

async function expectAllArrivedOnce(): Promise<void> {
  const arrived = async () => (await stack.mails()).flatMap(({ recipients }) => recipients);
  await until(async () => new Set(await arrived()).size >= accepted.length, {
    timeoutMs: 500_000,
    what: `${accepted.length} mails to arrive`,
  });
  expect((await arrived()).sort()).toEqual([...accepted].sort());
}

/** A client on the network of the containers, as other applications are: 50 sessions at once, 25 MB in each. */
const submitting = `
  import { once } from 'node:events';
  import { connect } from 'node:net';
  import { createInterface } from 'node:readline';
  const line = '0123456789abcdef'.repeat(4) + '\\r\\n';
  const body = Buffer.from(line.repeat(Math.ceil(25_000_000 / line.length)));
  await Promise.all(Array.from({ length: 50 }, async (_, n) => {
    const socket = connect(2525, 'postern-relay');
    const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
    const hear = async () => {
      for (;;) {
        const { value = '' } = await lines.next();
        if (/^[23]\\d\\d /.test(value)) return;
        if (!/^\\d\\d\\d-/.test(value)) throw new Error('The relay said: ' + value);
      }
    };
    await hear();
    const login = Buffer.from('\\0postern\\0postern').toString('base64');
    const to = 'smtp-' + n + '@example.com';
    for (const command of ['EHLO shop', 'AUTH PLAIN ' + login, 'MAIL FROM:<postern@example.com>', 'RCPT TO:<' + to + '>', 'DATA']) {
      socket.write(command + '\\r\\n');
      await hear();
    }
    socket.write('From: postern@example.com\\r\\nSubject: Large\\r\\n\\r\\n');
    if (!socket.write(body)) await once(socket, 'drain');
    socket.write('.\\r\\n');
    await hear();
    console.log(to);
    socket.end();
  }));
`;

test('50 messages of 25 MB at once', async () => {
  const output = await docker(
    ...['run', '--rm', '--network', `${stack.project}_default`],
    ...[image, 'node', '--input-type=module', '-e', submitting],
  );
  accepted.push(...output.split('\n'));
  expect(accepted).toHaveLength(50);
  await expectAlive();
}, 600_000);

/** As clients do: what was put off is asked for again. */
async function upload(n: number, content: string): Promise<void> {
  const to = `upload-${n}@example.com`;
  const body = {
    ...{ to, subject: 'Due', text: 'Hello.', scheduled_datetime: new Date().toISOString() },
    attachments: [{ filename: 'a.bin', content }],
  };
  for (;;) {
    const { status } = await stack.ask('POST', '/api/v1/emails', body, 600_000);
    if (status === 202) break;
    expect(status, to).toBe(503);
    await pause(1_000);
  }
  accepted.push(to);
}

/** Mails of 18 MB that are due at the same moment; TEST_RUNS=50 takes a minute longer. */
const due = runs(18);

/** Copies of the first upload: what 50 requests would have stored. */
const copying = (count: number) => `
  with model as (select * from email where subject = 'Due' order by id limit 1),
  copies as (
    select (jsonb_populate_record(null::email, to_jsonb(model) || jsonb_build_object(
      'id', gen_random_uuid(), 'message_id', format('<copy-%s@example.com>', n),
      'recipients', jsonb_build_array(jsonb_build_object('kind', 'to', 'address', format('copy-%s@example.com', n)))
    ))).* from model, generate_series(1, ${count}) n
  ),
  stored as (insert into email select * from copies returning id)
  insert into email_attachment
  select stored.id, ordinal, filename, content_type, content_id, content
  from stored, email_attachment a where a.email_id = (select id from model)`;

test(`16 uploads of 24 MB at once, and then ${due} mails of 18 MB that are due together`, async () => {
  await stack.compose('stop', 'postern-worker');
  const content = Buffer.alloc(18_000_000, 'postern').toString('base64');
  await Promise.all(Array.from({ length: 16 }, (_, n) => upload(n, content)));

  const copies = due - 16;
  await stack.compose(
    ...['exec', '-T', 'postern-postgres', 'psql', '--username=postern', '--set=ON_ERROR_STOP=1'],
    ...['--command', copying(copies)],
  );
  accepted.push(...Array.from({ length: copies }, (_, n) => `copy-${n + 1}@example.com`));
  await stack.compose('start', 'postern-worker');
  await expectAllArrivedOnce();
  await expectAlive();
}, 600_000);

test(`${costlyBodies.length} kinds of costly bodies, one after the other`, async () => {
  for (const { what, method = 'POST', path = '/api/v1/emails', body, atOnce = 1 } of costlyBodies) {
    const text = body();
    const asked = Array.from({ length: atOnce }, () =>
      // Who is cut off in the middle of a body hears no answer.
      stack.ask(method, path, text, 120_000).catch(() => ({ status: 0 })),
    );
    for (const { status } of await Promise.all(asked)) {
      expect.soft(status === 503 || status < 500, `${what}: ${status}`).toBe(true);
    }
  }
  await expectAlive();
}, 300_000);
