// What others make of /openapi.json: clients that well-known generators write from it compile with our compiler, take an
// applicant through onboarding, and run the programs of deploy/typed-clients.md.
import { execFile } from 'node:child_process';
import { mkdtempDisposable, readFile, symlink, writeFile } from 'node:fs/promises';
import { registerHooks } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { simpleParser } from 'mailparser';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Stack, startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));

const flow = `
import { createClient } from './client/client/index.ts';
import { Postern } from './client/index.ts';
import { until } from ${JSON.stringify(join(root, 'test', 'kit', 'until.ts'))};

const client = createClient({ baseUrl: process.env.POSTERN_URL!, auth: () => process.env.POSTERN_KEY });
const { applications, customers, emails, emailStatus } = new Postern({ client });

const status = await emailStatus.get({ throwOnError: true });
const application = await applications.submit({
  body: { company: 'Example Bakery', contact_name: 'Ann Example', email: 'ann@bakery.example.com' },
  throwOnError: true,
});
const path = { id: application.data.id };
const approved = await applications.approve({
  path,
  body: { sendInvitation: true },
  headers: { 'Idempotency-Key': 'approve-' + path.id },
  throwOnError: true,
});
const { customer, owner, invitation } = approved.data;
if (!invitation) throw new Error('nobody was invited');
const found = await customers.get({ path: { id: customer.id }, throwOnError: true });

const email = await until(async () => {
  const answer = await emails.get({ path: { id: invitation.email_id }, throwOnError: true });
  return answer.data.status === 'sent' && answer;
}, { what: 'the invitation to be sent' });
const refused = await applications.delete({ path });

console.log(JSON.stringify({
  configured: status.data.configured,
  customer: found.data.customer.email,
  owner: owner.name,
  recipients: email.data.recipients.map(({ address, reply_code }) => [address, reply_code]),
  refusal: refused.error?.type,
}));
`;

/** The programs of a page, by the file that stands before each. */
async function programsOf(page: string): Promise<Record<string, string>> {
  const text = await readFile(join(root, 'deploy', page), 'utf8');
  const blocks = text.matchAll(/`([\w.-]+\.m?[tj]s)`:\n\n```[tj]s\n(.*?)```/gs);
  return Object.fromEntries([...blocks].map(([, name = '', code = '']) => [name, code]));
}

const compilerOptions = {
  noEmit: true,
  strict: true,
  noUncheckedIndexedAccess: true,
  erasableSyntaxOnly: true,
  allowImportingTsExtensions: true,
  target: 'esnext',
  module: 'nodenext',
  lib: ['esnext', 'dom', 'dom.iterable'],
  types: ['node'],
  typeRoots: [join(root, 'node_modules', '@types')],
};

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ processes: ['relay', 'api'] });
});
afterAll(() => stack?.[Symbol.asyncDispose]());

test('generated clients compile; one onboards an applicant, and the programs of the page send their mail', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'postern-client-'));
  const programs = await programsOf('typed-clients.md');
  expect(Object.keys(programs)).toEqual(['openapi-ts.config.ts', 'receipt.ts', 'reminder.ts']);
  await generate(folder.path, `${stack.api.url}/openapi.json`, programs['openapi-ts.config.ts'] ?? '');
  await symlink(join(root, 'node_modules'), join(folder.path, 'node_modules'));
  await writeFile(join(folder.path, 'package.json'), '{ "type": "module" }');
  await writeFile(join(folder.path, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
  for (const [name, code] of Object.entries({ ...programs, 'flow.ts': flow }))
    await writeFile(join(folder.path, name), code);

  const compiled = await run(process.execPath, [
    join(root, 'node_modules/typescript/bin/tsc'),
    '-p',
    folder.path,
  ]).catch((error: { stdout: string }) => error);
  expect(compiled.stdout).toBe('');

  const env = { POSTERN_URL: stack.api.url, POSTERN_KEY: stack.api.key };
  const say = async (file: string) =>
    (await run(process.execPath, [join(folder.path, file)], { env, timeout: 20_000 })).stdout.trim();
  const [onboarded, receipt, reminder] = await Promise.all(['flow.ts', 'receipt.ts', 'reminder.ts'].map(say));
  expect(JSON.parse(onboarded ?? '')).toEqual({
    configured: true,
    customer: 'ann@bakery.example.com',
    owner: 'Ann Example',
    recipients: [['ann@bakery.example.com', 250]],
    refusal: '/problems/customer-account-exists',
  });
  expect(receipt).toMatch(/^[0-9a-f-]{36} \w+$/);
  expect(reminder).toMatch(/^[0-9a-f-]{36} cancelled$/);
  const recipients = () => stack.provider.messages.flatMap(({ envelope }) => envelope.recipients).sort();
  await until(() => recipients().length === 2, { what: 'both mails at the provider' });
  expect(recipients()).toEqual(['ann@bakery.example.com', 'ann@example.com']);
}, 60_000);

// As an application calls the clients of other services.
const calls = `
import { transport } from './nodemailer-transport.mjs';
import { send } from './sendgrid.mjs';
import { create } from './mailgun.mjs';
import { sendEmail } from './postmark.mjs';

const from = process.env.MAIL_FROM;
const content = Buffer.from('%PDF-1.7');
await transport.sendMail({ from, to: 'ann@example.net', subject: 'From nodemailer', text: 'Hi' });
transport.close();
const sent = [
  await send({
    from: { email: from, name: 'Shop' }, to: [{ email: 'ann@example.net', name: 'Ann' }, 'bob@example.net'],
    replyTo: 'help@example.com', subject: 'From SendGrid', text: 'Hi', html: '<p>Hi</p>', categories: ['receipt'],
    customArgs: { order: 4711 }, headers: { 'X-Order': '4711' },
    attachments: [{ content: content.toString('base64'), filename: 'a.pdf', type: 'application/pdf' }],
  }),
  await send({ from, to: 'ann@example.net', subject: 'Later', text: 'Hi', sendAt: Date.UTC(2040, 0, 1) / 1000 }),
  await create('example.com', {
    from: 'Shop <' + from + '>', to: ['ann@example.net'], subject: 'From Mailgun', text: 'Hi',
    'h:Reply-To': 'help@example.com', 'h:X-Order': '4711', 'o:tag': ['receipt'], 'v:order': '4711',
    attachment: [{ filename: 'a.pdf', data: content, contentType: 'application/pdf' }],
  }),
  await sendEmail({
    From: from, To: 'Ann <ann@example.net>, bob@example.net', ReplyTo: 'help@example.com', Subject: 'From Postmark',
    TextBody: 'Hi', HtmlBody: '<p>Hi</p>', Tag: 'receipt', Metadata: { order: '4711' }, MessageStream: 'outbound',
    Headers: [{ Name: 'X-Order', Value: '4711' }],
    Attachments: [{ Name: 'a.pdf', Content: content.toString('base64'), ContentType: 'application/pdf', ContentID: 'cid:a' }],
  }),
];
const refused = await send({ from, to: 'nobody', subject: 'Never', text: 'Hi' }).catch((error) => error.message);
console.log(JSON.stringify({ sent, refused }));
`;

test('calls of other services stay as they are, and their mail is at the provider', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'postern-services-'));
  const programs = await programsOf('from-other-services.md');
  expect(Object.keys(programs)).toHaveLength(5);
  for (const [name, code] of Object.entries({ ...programs, 'calls.mjs': calls }))
    await writeFile(join(folder.path, name), code);
  await symlink(join(root, 'node_modules'), join(folder.path, 'node_modules'));
  const { body: key } = await stack.api.post('/api/v1/keys', { name: 'Shop', scopes: ['send'] });
  const { stdout } = await run(process.execPath, [join(folder.path, 'calls.mjs')], {
    env: {
      ...{ POSTERN_URL: stack.api.url, POSTERN_KEY: key.secret },
      ...{ MAIL_HOST: '127.0.0.1', MAIL_PORT: String(stack.relay.port), MAIL_FROM: stack.provider.user },
    },
    timeout: 20_000,
  });

  const { sent, refused } = JSON.parse(stdout) as { sent: Record<string, unknown>[]; refused: string };
  expect(refused).toMatch(/^Some fields are not valid: to\/0 holds nobody/);
  expect(sent[1]).toMatchObject({ scheduled_datetime: '2040-01-01T00:00:00.000Z', status: 'pending' });
  for (const service of ['nodemailer', 'SendGrid', 'Mailgun', 'Postmark']) {
    const raw = await until(
      () => stack.provider.messages.find((one) => one.raw.includes(`Subject: From ${service}\r\n`))?.raw,
      { what: `the mail as ${service} took it` },
    );
    if (service === 'nodemailer') continue;
    const mail = await simpleParser(raw);
    expect([service, mail.replyTo?.text, mail.headers.get('x-order')]).toEqual([
      service,
      'help@example.com',
      '4711',
    ]);
    expect(mail.attachments[0]?.content.toString()).toBe('%PDF-1.7');
    const found = sent.find(({ subject }) => subject === `From ${service}`);
    expect(found).toMatchObject({ tags: expect.arrayContaining([{ name: 'order', value: '4711' }]) });
  }
}, 60_000);

/** What the page says to run, with the description of this stack. */
async function generate(folder: string, input: string, config: string): Promise<void> {
  const given = JSON.parse(
    await run(process.execPath, [
      '--input-type=module-typescript',
      '--eval',
      `${config.replace('export default', 'const config =')}\nconsole.log(JSON.stringify(config))`,
    ]).then(({ stdout }) => stdout),
  ) as { output: { path: string } };
  const { createClient, openapiTypescript, astToString } = await loadGenerators();
  const output = { ...given.output, path: join(folder, given.output.path) };
  await createClient({ ...given, input, output, logs: { level: 'silent', file: false } });
  await writeFile(join(folder, 'postern.d.ts'), astToString(await openapiTypescript(new URL(input))));
}

/**
 * The generators print their files with the API that compilers up to TypeScript 6 had, and ask for it under the name of
 * the compiler itself, which is 7 here. They get the bundled copy of somebody who needs the old one as well.
 */
async function loadGenerators() {
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier === 'typescript' ? '@ts-morph/common/dist/typescript.js' : specifier, context),
  });
  try {
    const { createClient } = await import('@hey-api/openapi-ts');
    const { default: openapiTypescript, astToString } = await import('openapi-typescript');
    return { createClient, openapiTypescript, astToString };
  } finally {
    hooks.deregister();
  }
}
